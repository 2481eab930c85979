// What the router would refuse about routerSpec.extraArgs, found by its own command line before anything starts.
import { CommanderError } from 'commander';
import { InputError, nearest } from '../../core/base/index.ts';
import { withoutLabels } from '../../core/launch/index.ts';
import { routerCommand } from '../commands/router.ts';

/** Returns a clause without its full stop; undefined if the router accepts the arguments. */
export function routerArgumentFault(extraArgs: readonly string[]): string | undefined {
  const command = routerCommand();
  const quiet = (): void => undefined;
  command
    .action(quiet)
    .exitOverride()
    .configureOutput({ writeOut: quiet, writeErr: quiet, outputError: quiet });
  try {
    command.parse(withoutLabels(extraArgs), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return sentenceOf(error, knownFlags());
    if (error instanceof InputError) return error.message.replace(/\.$/, '');
    throw error;
  }
  return undefined;

  function knownFlags(): readonly string[] {
    return command.options.flatMap(({ long }) =>
      long === undefined || long === null ? [] : [long],
    );
  }
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
