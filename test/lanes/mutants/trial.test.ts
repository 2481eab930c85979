// Which tests are tried on a mutant, and when a failure counts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestFile } from './coverage.ts';
import { furtherTests } from './further-tests.ts';
import type { Mutant } from './mutants.ts';
import type { ScratchTree, TestRun } from './scratch-tree.ts';
import { type Kills, tryMutant } from './trial.ts';

const [source, changed] = ['a < b', 'a >= b'];
const mutant: Mutant = {
  ...{ file: 'src/room/a.ts', line: 1, start: 0, end: source.length, replacement: changed },
  ...{ operator: 'comparison', identity: { within: '', original: source, mutated: changed } },
};

/** A test file that covers the mutant if its coverage was measured. */
function testFile(path: string, { isMeasured = false, durationMs = 1 } = {}): TestFile {
  const covered = isMeasured ? { [mutant.file]: [0, source.length] } : undefined;
  return { path, isUnit: path.startsWith('src/'), passed: true, durationMs, covered };
}

/** A tree in which a test file fails as `failure` says, with the runs so far of that file and the code under test. */
function treeOf(failure: (path: string, isChanged: boolean, run: number) => string | undefined) {
  let text = source;
  const runs: string[] = [];
  const tree = {
    read: () => text,
    write: (_file: string, written: string) => {
      text = written;
    },
    run: (files: readonly string[]): Promise<TestRun> => {
      const isChanged = text === changed;
      runs.push(`${isChanged ? 'mutant' : 'source'}: ${files.join(' ')}`);
      const [path = ''] = files;
      const failed = failure(path, isChanged, runs.length);
      return Promise.resolve({ passed: !failed, timedOut: false, durationMs: 1, failed });
    },
  };
  return { tree: tree as unknown as ScratchTree, runs, textNow: () => text };
}

test('tests are tried in order: beside the code, measured units, other units, then each integration test', async () => {
  const tests = [
    testFile('test/integration/slow.test.ts', { durationMs: 9 }),
    testFile('test/integration/fast.test.ts', { durationMs: 2 }),
    testFile('src/other/b.test.ts'),
    testFile('src/room/deep/c.test.ts', { isMeasured: true }),
    testFile('src/room/a.test.ts', { isMeasured: true }),
  ];
  const { tree, runs, textNow } = treeOf(() => undefined);
  assert.equal((await tryMutant(mutant, tests, tree)).verdict, 'survived');
  assert.deepEqual(runs, [
    'mutant: src/room/a.test.ts',
    'mutant: src/room/deep/c.test.ts',
    'mutant: src/other/b.test.ts',
    'mutant: test/integration/fast.test.ts',
    'mutant: test/integration/slow.test.ts',
  ]);
  assert.equal(textNow(), source);
});

test('a mutant that only a test outside the first ones notices is marked', async () => {
  const tests = [testFile('src/room/a.test.ts', { isMeasured: true }), testFile('src/b.test.ts')];
  for (const [path, isByFurther] of [
    ['src/room/a.test.ts', false],
    ['src/b.test.ts', true],
  ] as const) {
    const { tree } = treeOf((file) => (file === path ? 'a test' : undefined));
    const trial = await tryMutant(mutant, tests, tree);
    assert.deepEqual(trial, { mutant, verdict: 'killed', by: 'a test', isByFurther });
  }
});

test('an integration test has to fail twice with the mutant, and to pass without it in between', async () => {
  const tests = [testFile('test/integration/a.test.ts')];
  const verdictOf = async (failure: Parameters<typeof treeOf>[0]) =>
    (await tryMutant(mutant, tests, treeOf(failure).tree)).verdict;
  assert.equal(await verdictOf((_path, isChanged) => (isChanged ? 'a' : undefined)), 'killed');
  assert.equal(
    await verdictOf((_path, _isChanged, run) => (run === 1 ? 'a' : undefined)),
    'survived',
  );
  assert.equal(await verdictOf(() => 'always'), 'survived');
  const busy = (_path: string, isChanged: boolean, run: number) =>
    isChanged || run === 2 ? 'a' : undefined;
  assert.equal(
    await verdictOf(busy),
    'killed',
    'it passes without the mutant at the second attempt',
  );
  const other = (_path: string, isChanged: boolean, run: number) =>
    isChanged ? `${run}` : undefined;
  assert.equal(await verdictOf(other), 'survived', 'another test fails the second time');
});

test('the integration test that noticed the last mutant of a folder is tried first', async () => {
  const tests = ['a', 'b', 'c'].map((name) => testFile(`test/integration/${name}.test.ts`));
  const kills: Kills = new Map();
  const isKilled = (path: string, isChanged: boolean) =>
    isChanged && path.endsWith('c.test.ts') ? 'c' : undefined;
  await tryMutant(mutant, tests, treeOf(isKilled).tree, kills);
  const { tree, runs } = treeOf(isKilled);
  await tryMutant(mutant, tests, tree, kills);
  assert.equal(runs[0], 'mutant: test/integration/c.test.ts');
  const elsewhere = { ...mutant, file: 'src/elsewhere/a.ts' };
  const another = treeOf(isKilled);
  await tryMutant(elsewhere, tests, another.tree, kills);
  assert.equal(another.runs[0], 'mutant: test/integration/a.test.ts');
});

test('a further test file may fail twice before it passes; one that never passes is left out', async () => {
  const tries = new Map<string, number>();
  const { tree } = treeOf((path) => {
    const count = (tries.get(path) ?? 0) + 1;
    tries.set(path, count);
    return path.endsWith('trial.test.ts') && count < 3
      ? 'busy'
      : path.endsWith('mutants.test.ts')
        ? 'broken'
        : undefined;
  });
  const log: string[] = [];
  const tests = await furtherTests([tree], {
    ...{ root: import.meta.dirname, patterns: ['*.test.ts'] },
    log: (line) => log.push(line),
  });
  assert.deepEqual(
    tests.map(({ path, covered }) => [path, covered]),
    [['trial.test.ts', undefined]],
  );
  assert.deepEqual(log, ['mutants.test.ts fails without a mutant, 3 times, and is left out']);
});
