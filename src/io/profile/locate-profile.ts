// Finds the step profile of a tensor-parallel degree in a folder of profiles.
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { fileProblem } from '../files/index.ts';

export interface LocatedProfile {
  readonly directory: string;
  /** From its name (`…_tp2`, `tp2`); undefined if the name has no degree. */
  readonly tensorParallelSize: number | undefined;
}

/** Maximum depth: LLMServingSim stores profiles as HARDWARE/OWNER/MODEL/VARIANT/tpN. */
const depthMax = 4;
const foldersMax = 200;

/**
 * Finds the tables of a profile: in the folder itself, or else in the folder below it with the
 * wanted degree, or the nearest one.
 *
 * @throws {InputError} If there is none, or if two differ in something other than their degree.
 */
export async function locateProfile(
  directory: string,
  tensorParallelSize: number,
): Promise<LocatedProfile> {
  const found: LocatedProfile[] = [];
  await collect(directory, depthMax, found);
  const distance = ({ tensorParallelSize: degree = 1 }: LocatedProfile) =>
    Math.abs(Math.log2(degree / tensorParallelSize));
  const [best, second] = found.sort((a, b) => distance(a) - distance(b));
  if (best === undefined) {
    throw new InputError(
      `The profile directory ${directory} has neither attention.csv nor attention.csv.gz, nor has ` +
        'any folder below it; it needs attention.csv and dense.csv.',
    );
  }
  if (second !== undefined && second.tensorParallelSize === best.tensorParallelSize) {
    throw new InputError(
      `The profile directory ${directory} contains several profiles, among them ${best.directory} ` +
        `and ${second.directory}; name one of them.`,
    );
  }
  return best;
}

async function collect(directory: string, depth: number, found: LocatedProfile[]): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((cause: unknown) => {
    throw new InputError(`Cannot read the profile directory ${directory}: ${fileProblem(cause)}.`, {
      cause,
    });
  });
  if (entries.some(({ name }) => /^attention\.csv(\.gz)?$/.test(name))) {
    const degree = /(?:^|[_-])tp(\d+)$/i.exec(basename(directory))?.[1];
    found.push({ directory, tensorParallelSize: degree === undefined ? undefined : +degree });
    return;
  }
  if (depth === 0) return;
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  for (const name of folders.sort().slice(0, foldersMax)) {
    await collect(join(directory, name), depth - 1, found);
  }
}
