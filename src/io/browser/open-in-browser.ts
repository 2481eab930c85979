// Opens a page in the user's browser with the platform's program.
import { spawn } from 'node:child_process';

/** A program that is still running after this time is a browser; others have handed the page over by then. */
const startDeadlineMs = 2_000;

export interface BrowserOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** @default the platform of this machine */
  readonly platform?: NodeJS.Platform;
}

/**
 * Runs `$BROWSER URL` if the variable is set, otherwise the platform's opener.
 *
 * @returns The reason of a failure, in a few words; undefined on success.
 */
export function openInBrowser(url: string, options: BrowserOptions): Promise<string | undefined> {
  const [command, ...args] = openerOf(options);
  return new Promise((resolve) => {
    // Detached: Ctrl-C in the terminal must not reach the browser.
    const child = spawn(command, [...args, url], { detached: true, stdio: 'ignore' });
    const timer = setTimeout(() => resolve(undefined), startDeadlineMs);
    const end = (problem: string | undefined): void => {
      clearTimeout(timer);
      resolve(problem);
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      end(error.code === 'ENOENT' ? `no program ${command}` : `${command}: ${error.message}`);
    });
    child.once('exit', (code, signal) => {
      end(code === 0 ? undefined : `${command} ended with ${signal ?? `exit code ${code}`}`);
    });
    child.unref();
  });
}

function openerOf({
  environment,
  platform = process.platform,
}: BrowserOptions): readonly [string, ...string[]] {
  const own = environment['BROWSER']?.trim();
  if (own) return [own];
  if (platform === 'darwin') return ['open'];
  // `start` is built into the shell; its first quoted argument would be the title of a window.
  if (platform === 'win32') return ['cmd', '/c', 'start', ''];
  return ['xdg-open'];
}
