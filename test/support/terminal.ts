// Programs in a pseudo-terminal, as a user runs them. util-linux' `script` makes it, which every Debian has.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** What Ctrl-C and Ctrl-D type. */
export const [ctrlC, ctrlD] = ['\x03', '\x04'];

/** For `node:test`: why there is no pseudo-terminal here, or false. */
export const noTerminal = /util-linux/.test(
  spawnSync('script', ['--version']).stdout?.toString() ?? '',
)
  ? false
  : 'there is no util-linux `script`, which makes pseudo-terminals';

export interface TerminalRun {
  readonly screen: string;
  /** Exit status of the program; 128 and the number of the signal that ended it. */
  readonly status: number;
}

export interface TerminalOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Runs after each output; `type` sends keys. */
  readonly onOutput?: (screen: string, type: (keys: string) => void) => void;
  /** Kills the program after this time. @default 60000 */
  readonly timeoutMs?: number;
}

/**
 * Runs a shell command in a terminal of 30 rows and 100 columns until it ends. Some shells stay to
 * wait for their last command, and Ctrl-C then ends the shell with 130 whatever the program does;
 * `exec` before the program leaves no shell whose status could hide the program's own.
 *
 * @throws {Error} With all that is on the screen, if it runs longer than its timeout.
 */
export async function inTerminal(
  command: string,
  { env = {}, onOutput, timeoutMs = 60_000 }: TerminalOptions = {},
): Promise<TerminalRun> {
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const child = spawn('script', ['-qefc', `stty rows 30 cols 100; ${command}`, '/dev/null'], {
    // `script` takes the user's shell; with one shell for all, every machine behaves alike.
    env: { ...inherited, SHELL: '/bin/sh', TERM: 'dumb', LC_ALL: 'C.UTF-8', ...env },
  });
  let screen = '';
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  child.stdin.on('error', () => undefined);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text;
    onOutput?.(screen, (keys) => child.stdin.write(keys));
  });
  const [status] = (await once(child, 'close')) as [number];
  clearTimeout(timer);
  if (isLate) throw new Error(`not ended within ${timeoutMs / 1000} s:\n${screen}`);
  return { screen, status };
}
