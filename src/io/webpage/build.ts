// Bundles the web page of a clone in which nobody has done so yet, so that the router always has one to serve.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { env, execPath } from 'node:process';
import { promisify } from 'node:util';

/** Maximum time of a build, which takes about a second. */
const buildTimeoutMs = 30_000;

/** The folders and the script of one clone or package. */
export interface WebpagePlaces {
  /** Folders that may hold the built page; the first one with an index.html counts. */
  readonly built: readonly string[];
  /** The script that builds it, in a clone. */
  readonly script: string;
}

const root = join(import.meta.dirname, '..', '..', '..');

/** Beside the bundle in a published package, in web/dist in a clone. */
const ownPlaces: WebpagePlaces = {
  built: [join(import.meta.dirname, 'web'), join(root, 'web', 'dist')],
  script: join(root, 'scripts', 'build-web.ts'),
};

/**
 * Finds the folder of the built page, and builds it first if this is a clone without one.
 *
 * @returns The folder, or in `problem` why there is none, as the end of a sentence.
 */
export async function webpageDirectory(
  places: WebpagePlaces = ownPlaces,
): Promise<{ readonly directory: string } | { readonly problem: string }> {
  const found = builtDirectory(places);
  if (found !== undefined) return { directory: found };
  if (!existsSync(places.script)) return { problem: 'this installation has no page' };
  try {
    // Two processes may build at once: each builds in a folder of its own and renames it.
    await promisify(execFile)(execPath, [places.script, '--if-stale'], {
      cwd: join(places.script, '..', '..'),
      env: { ...env, NODE_NO_WARNINGS: '1' },
      timeout: buildTimeoutMs,
    });
  } catch (error) {
    return { problem: `the page could not be built: ${reasonOf(error)}` };
  }
  const built = builtDirectory(places);
  return built === undefined
    ? { problem: 'the page could not be built: its script wrote nothing' }
    : { directory: built };
}

function builtDirectory({ built }: WebpagePlaces): string | undefined {
  return built.find((directory) => existsSync(join(directory, 'index.html')));
}

/** The last line of the script's error that says something. */
function reasonOf(error: unknown): string {
  const { stderr = '', killed, message } = error as Error & { stderr?: string; killed?: boolean };
  if (killed) return `it took longer than ${buildTimeoutMs / 1000} s`;
  const line = stderr.split('\n').find((text) => /^\w*Error\b/.test(text));
  return (line ?? message.split('\n')[0] ?? '').trim();
}
