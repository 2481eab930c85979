// A file of environment variables, as systemd and the container engines read it.
import { InputError } from '../base/index.ts';

/**
 * Renders a file for `EnvironmentFile=` of systemd, or for `--env-file` of docker and podman, which knows no quotes.
 *
 * @throws {InputError} If a name is not one, or a value has a line break.
 */
export function environmentText(
  variables: Readonly<Record<string, string>>,
  isContainer: boolean,
): string {
  return Object.entries(variables)
    .map(([name, value]) => {
      if (!/^[A-Za-z_]\w*$/.test(name)) {
        throw new InputError(`"${name}" cannot be the name of an environment variable.`);
      }
      if (/[\r\n\0]/.test(value)) {
        throw new InputError(
          `The environment variable ${name} has a line break, which a file of variables cannot hold.`,
        );
      }
      return `${name}=${isContainer ? value : quoted(value)}\n`;
    })
    .join('');
}

function quoted(value: string): string {
  return `"${value.replace(/["\\$`]/g, '\\$&')}"`;
}
