// Tries one mutant: runs the tests that reach it until one of them fails.
import { dirname } from 'node:path';
import { covers, type TestFile } from './coverage.ts';
import { type Mutant, mutated } from './mutants.ts';
import type { ScratchTree } from './scratch-tree.ts';

/** `uncovered`: no test runs the code, so none could fail. */
export type Verdict = 'killed' | 'survived' | 'uncovered';

export interface Trial {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  /** The test that failed, or that it took too long. */
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
 * The tests that reach a mutant, in the order in which they run, each group in one process: those
 * beside the file, other unit tests, then each integration test, the quickest first.
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

/** A mutant may loop for ever; a machine with other work may be several times slower than before. */
function timeLimitMs(group: readonly TestFile[]): number {
  return 20_000 + 4 * group.reduce((sum, { durationMs }) => sum + durationMs, 0);
}
