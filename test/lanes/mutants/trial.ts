// Tries one mutant: runs the tests that cover it until one fails.
import { dirname } from 'node:path';
import { covers, type TestFile } from './coverage.ts';
import { type Mutant, mutated } from './mutants.ts';
import type { ScratchTree } from './scratch-tree.ts';

/** `uncovered`: no test runs the code. */
export type Verdict = 'killed' | 'survived' | 'uncovered';

export interface Trial {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  /** The failed test, or `time limit`. */
  readonly by?: string;
}

export async function tryMutant(
  mutant: Mutant,
  tests: readonly TestFile[],
  tree: ScratchTree,
): Promise<Trial> {
  const groups = testGroups(mutant, tests);
  if (groups.length === 0) return { mutant, verdict: 'uncovered' };
  const source = tree.read(mutant.file);
  tree.write(mutant.file, mutated(source, mutant));
  try {
    for (const group of groups) {
      const files = group.map(({ path }) => path);
      const { passed, timedOut, failed } = await tree.run(files, { timeoutMs: timeLimitMs(group) });
      if (passed) continue;
      return { mutant, verdict: 'killed', by: timedOut ? 'time limit' : (failed ?? 'early end') };
    }
    return { mutant, verdict: 'survived' };
  } finally {
    tree.write(mutant.file, source);
  }
}

/**
 * Returns the tests that cover a mutant, grouped by process and in order of execution: unit tests in the same
 * folder, other unit tests, then each integration test, the fastest first.
 */
function testGroups(mutant: Mutant, tests: readonly TestFile[]): TestFile[][] {
  const reaching = tests
    .filter((test) => covers(test, mutant.file, mutant.start))
    .toSorted((a, b) => a.durationMs - b.durationMs);
  const isBeside = ({ path }: TestFile) => dirname(path) === dirname(mutant.file);
  return [
    reaching.filter((test) => test.isUnit && isBeside(test)),
    reaching.filter((test) => test.isUnit && !isBeside(test)),
    ...reaching.filter((test) => !test.isUnit).map((test) => [test]),
  ].filter((group) => group.length > 0);
}

/** Limits endless loops, but allows for a machine that has become several times slower. */
function timeLimitMs(group: readonly TestFile[]): number {
  return 20_000 + 4 * group.reduce((sum, { durationMs }) => sum + durationMs, 0);
}
