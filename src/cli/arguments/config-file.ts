// Options of a command from a YAML file, by their names.
import { readFileSync } from 'node:fs';
import { type Command, CommanderError } from 'commander';
import { parse } from 'yaml';
import { InputError, nearestSpelling } from '../../core/base/index.ts';

/**
 * Sets the options that the command line does not.
 *
 * @param path A file such as `memory: 8GiB`.
 * @throws {InputError} If it cannot be read, or for a name or a value that the command does not have.
 */
export function applyConfigFile(command: Command, path: string): void {
  const options = new Map(command.options.map((option) => [option.long?.slice(2) ?? '', option]));
  options.delete('config');
  for (const [name, value] of Object.entries(readFile(path))) {
    const option = options.get(name);
    if (option === undefined) {
      const near = nearestSpelling(name, [...options.keys()]);
      const hint =
        near === undefined ? `known: ${[...options.keys()].join(', ')}` : `did you mean "${near}"?`;
      throw new InputError(`--config ${path}: there is no option "${name}"; ${hint}`);
    }
    if (typeof value !== 'string' && typeof value !== 'number') {
      throw new InputError(`--config ${path}: "${name}" must be a text or a number.`);
    }
    const attribute = option.attributeName();
    if (command.getOptionValueSource(attribute) === 'cli') continue;
    command.setOptionValueWithSource(attribute, parsed(option, `${value}`, name, path), 'config');
  }
}

function parsed(
  option: Command['options'][number],
  text: string,
  name: string,
  path: string,
): unknown {
  try {
    return option.parseArg === undefined ? text : option.parseArg(text, undefined);
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    throw new InputError(`--config ${path}: "${name}" is "${text}". ${cause.message}`, { cause });
  }
}

function readFile(path: string): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    content = parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const [reason = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    throw new InputError(`--config ${path} cannot be read: ${reason.replace(/:$/, '')}`, { cause });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new InputError(
      `--config ${path} must have one option in each line, such as "memory: 8GiB".`,
    );
  }
  return content as Readonly<Record<string, unknown>>;
}
