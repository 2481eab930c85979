// Test files for the survivors of the first ones. Their coverage is not measured: while it is, integration tests take
// several times as long and miss their deadlines on a busy machine.
import { globSync } from 'node:fs';
import type { TestFile } from './coverage.ts';
import type { ScratchTree } from './scratch-tree.ts';

/** On a busy machine an integration test may miss a deadline of its own. */
const attemptsMax = 3;
const testFileMsMax = 600_000;

/** Returns the test files that pass without a mutant, each with its duration. */
export async function furtherTests(
  trees: readonly ScratchTree[],
  options: {
    readonly root: string;
    /** Globs of the test files, relative to the root. */
    readonly patterns: readonly string[];
    readonly log: (line: string) => void;
  },
): Promise<TestFile[]> {
  const { root, patterns, log } = options;
  const tests: TestFile[] = [];
  const rest = globSync([...patterns], { cwd: root })
    .sort()
    .values();
  const work = async (tree: ScratchTree): Promise<void> => {
    for (const path of rest) {
      const durationMs = await passingMs(path, tree);
      if (durationMs === undefined) {
        log(`${path} fails without a mutant, ${attemptsMax} times, and is left out`);
        continue;
      }
      const isUnit = path.startsWith('src/');
      tests.push({ path, isUnit, passed: true, durationMs, covered: undefined });
    }
  };
  await Promise.all(trees.map(work));
  return tests;
}

/** @returns Undefined if the file never passes. */
async function passingMs(path: string, tree: ScratchTree): Promise<number | undefined> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const { passed, durationMs } = await tree.run([path], { timeoutMs: testFileMsMax });
    if (passed) return durationMs;
  }
  return undefined;
}
