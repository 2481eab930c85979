// Tries one mutant: runs the tests that cover it until one fails.
import { dirname } from 'node:path';
import { covers, type TestFile } from './coverage.ts';
import { type Mutant, mutated } from './mutants.ts';
import type { ScratchTree, TestRun } from './scratch-tree.ts';

/** `uncovered`: no test runs the code. */
export type Verdict = 'killed' | 'survived' | 'uncovered';

export interface Trial {
  readonly mutant: Mutant;
  readonly verdict: Verdict;
  /** The failed test, or `time limit`. */
  readonly by?: string;
  /** Whether only a test whose coverage was not measured noticed it. */
  readonly isByFurther?: boolean;
}

/** How many mutants of each folder each test file has noticed so far in this run. */
export type Kills = Map<string, number>;

export async function tryMutant(
  mutant: Mutant,
  tests: readonly TestFile[],
  tree: ScratchTree,
  kills: Kills = new Map(),
): Promise<Trial> {
  const groups = testGroups(mutant, tests, kills);
  if (groups.length === 0) return { mutant, verdict: 'uncovered' };
  const source = tree.read(mutant.file);
  try {
    for (const group of groups) {
      const by = await failure(group, mutant, source, tree);
      if (by === undefined) continue;
      for (const { path } of group) {
        kills.set(killsKey(mutant, path), killsOf(kills, mutant, path) + 1);
      }
      const isByFurther = group.every(({ covered }) => covered === undefined);
      return { mutant, verdict: 'killed', by, isByFurther };
    }
    return { mutant, verdict: 'survived' };
  } finally {
    tree.write(mutant.file, source);
  }
}

/**
 * Returns what failed because of the mutant, if anything. An integration test may also fail because the machine is
 * busy, so that it has to fail twice in the same way, and to pass in between without the mutant, at the third attempt
 * at the latest.
 */
async function failure(
  group: readonly TestFile[],
  mutant: Mutant,
  source: string,
  tree: ScratchTree,
): Promise<string | undefined> {
  const files = group.map(({ path }) => path);
  const run = (text: string): Promise<TestRun> => {
    tree.write(mutant.file, text);
    return tree.run(files, { timeoutMs: timeLimitMs(group) });
  };
  const first = failureOf(await run(mutated(source, mutant)));
  if (first === undefined || group.every(({ isUnit }) => isUnit)) return first;
  let attempts = 1;
  while (failureOf(await run(source)) !== undefined) {
    if (attempts++ === attemptsMax) return undefined;
  }
  const second = failureOf(await run(mutated(source, mutant)));
  if (second === undefined) return undefined;
  // What hangs may end by a deadline of the test or by that of the lane.
  const isSame = first === second || [first, second].includes(timeLimit);
  return isSame ? first : undefined;
}

/** How often an integration test may fail without the mutant before nothing is concluded. */
const attemptsMax = 3;
const timeLimit = 'time limit';

function failureOf({ passed, timedOut, failed }: TestRun): string | undefined {
  if (passed) return undefined;
  return timedOut ? timeLimit : (failed ?? 'early end');
}

/**
 * Returns the tests that may cover a mutant, grouped by process and in order of execution: unit tests in the same
 * folder, other unit tests, unit tests that were not measured, then each integration test: first those that noticed
 * other mutants of the folder, then the fastest.
 */
function testGroups(mutant: Mutant, tests: readonly TestFile[], kills: Kills): TestFile[][] {
  const reaching = tests
    .filter((test) => covers(test, mutant.file, mutant.start))
    .toSorted((a, b) => {
      const more = killsOf(kills, mutant, b.path) - killsOf(kills, mutant, a.path);
      return more || a.durationMs - b.durationMs;
    });
  const isBeside = ({ path }: TestFile) => dirname(path) === dirname(mutant.file);
  const unit = reaching.filter(({ isUnit }) => isUnit);
  const measured = unit.filter(({ covered }) => covered !== undefined);
  return [
    measured.filter(isBeside),
    measured.filter((test) => !isBeside(test)),
    unit.filter(({ covered }) => covered === undefined),
    ...reaching.filter(({ isUnit }) => !isUnit).map((test) => [test]),
  ].filter((group) => group.length > 0);
}

function killsKey(mutant: Mutant, path: string): string {
  return `${dirname(mutant.file)} ${path}`;
}

function killsOf(kills: Kills, mutant: Mutant, path: string): number {
  return kills.get(killsKey(mutant, path)) ?? 0;
}

/** Limits endless loops, but allows for a machine that has become several times slower. */
function timeLimitMs(group: readonly TestFile[]): number {
  return 20_000 + 4 * group.reduce((sum, { durationMs }) => sum + durationMs, 0);
}
