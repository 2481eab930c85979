// Refuses arguments of commands that take flags only.
import type { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';

/**
 * A hook before the action of a command that allows excess arguments: a file that is given without -f
 * is the most common mistake.
 *
 * @throws {InputError} If there is an argument.
 */
export function refuseArguments(command: Command, acting: Command): void {
  // The hooks of a command run for its subcommands, too.
  const [first] = command === acting ? acting.args : [];
  if (first === undefined) return;
  const name = nameOf(acting);
  const program = programOf(acting);
  throw new InputError(
    /\.(ya?ml|json)$/i.test(first)
      ? `${name} takes no file argument: use -f ${first}.`
      : `${name} takes flags only, not "${first}"; see ${program} ${name} --help.`,
  );
}

function programOf(command: Command): string {
  return command.parent === null ? command.name() : programOf(command.parent);
}

/** Returns the command's name without that of the program: `config show`. */
function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}
