// What the router would refuse about routerSpec.extraArgs, found by its own command line before anything starts.
import { CommanderError } from 'commander';
import { InputError, nearest } from '../../core/base/index.ts';
import { withoutLabels } from '../../core/launch/index.ts';
import { checkTogether, routerCommand } from '../commands/router.ts';
import type { UpstreamCommand } from './upstream-arguments.ts';

/** What the router makes of arguments. */
export interface ReadArguments {
  /** A clause without its full stop; undefined if the router accepts the arguments. */
  readonly fault: string | undefined;
  /** The words that have no effect, as they are written, each with a clause that gives the reason. */
  readonly notes: readonly { readonly index: number; readonly clause: string }[];
}

/** Returns a clause without its full stop; undefined if the router accepts the arguments. */
export function routerArgumentFault(extraArgs: readonly string[]): string | undefined {
  return readRouterArguments(extraArgs).fault;
}

/**
 * Reads arguments as the router does, without running it.
 *
 * @param before Flags that a stack gives its router, and that come first; if they are given, arguments that contradict them or each
 *   other are faults, too.
 */
export function readRouterArguments(
  extraArgs: readonly string[],
  before: readonly string[] = [],
): ReadArguments {
  const command = routerCommand();
  const quiet = (): void => undefined;
  command
    .action(quiet)
    .exitOverride()
    .configureOutput({ writeOut: quiet, writeErr: quiet, outputError: quiet });
  try {
    command.parse([...before, ...withoutLabels(extraArgs)], { from: 'user' });
    if (before.length > 0) checkTogether(command.opts());
  } catch (error) {
    return { fault: faultOf(error, command), notes: [] };
  }
  const notes = [...command.notes].map(([name, { text }]) => {
    const index = extraArgs.findLastIndex((word) => command.flagOf(word) === name);
    return { index, clause: text.replace(/\.$/, '') };
  });
  return { fault: undefined, notes: notes.toSorted((a, b) => a.index - b.index) };
}

/** @throws What is no fault of the arguments. */
function faultOf(error: unknown, command: UpstreamCommand): string {
  if (error instanceof CommanderError) {
    const known = command.options.flatMap(({ long }) => (long ? [long] : []));
    return sentenceOf(error, known);
  }
  if (error instanceof InputError) return error.message.replace(/\.$/, '');
  throw error;
}

function sentenceOf({ code, message }: CommanderError, known: readonly string[]): string {
  if (code === 'commander.helpDisplayed' || code === 'commander.version') {
    return 'the router would print its help and end; remove the argument';
  }
  if (code === 'commander.excessArguments') {
    return `"${/: ([^:]*?)\.?$/.exec(message)?.[1] ?? ''}" belongs to no flag of the router`;
  }
  const [, flag] = /unknown option '([^']+)'/.exec(message) ?? [];
  if (flag === undefined) return message.replace(/^error: /, '').replace(/\.$/, '');
  const [name = '', ...rest] = flag.split(/[\s=]+/);
  if (known.includes(name) && rest.length > 0) {
    return `"${flag}" is one argument with a space in it; write two items, "${name}" and "${rest.join(' ')}"`;
  }
  const near = nearest(name, known);
  return `${name} is not a flag of the router${near === undefined ? '; "spillway router --help" lists them' : `; did you mean ${near}?`}`;
}
