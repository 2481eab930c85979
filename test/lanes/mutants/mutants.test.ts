// The mutants of small sources.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { covers, measuredTests } from './coverage.ts';
import { mutantsOf, mutated } from './mutants.ts';
import type { ScratchTree } from './scratch-tree.ts';

/** Each mutant as the source with its change in it. */
function changed(source: string): string[] {
  return mutantsOf('a.ts', source).map((mutant) => mutated(source, mutant));
}

test('a comparison is moved by one and turned', () => {
  assert.deepEqual(changed('a < b;'), ['(a <= b);', '(a >= b);']);
  assert.deepEqual(changed('a === b;'), ['(a !== b);']);
});

test('arithmetic is swapped, unless it joins text', () => {
  assert.deepEqual(changed('a * b;'), ['(a / b);']);
  assert.deepEqual(changed("a + 'b';"), []);
  assert.deepEqual(changed('a += b;'), [';', 'a -= b;']);
});

test('logic is swapped and defaults are dropped', () => {
  assert.deepEqual(changed('a && b;'), ['(a || b);']);
  assert.deepEqual(changed('a ?? b;'), ['(a);']);
});

test('a condition is negated and the branches of a choice are swapped', () => {
  assert.deepEqual(changed('if (a) b();'), ['if (!(a)) b();', 'if (a) ;']);
  assert.deepEqual(changed('a ? b : c;'), ['(a ? c : b);']);
});

test('a result goes missing, from a function and from an arrow', () => {
  assert.deepEqual(changed('function f() { return a; }'), ['function f() { return undefined; }']);
  assert.deepEqual(changed('const f = () => a;'), ['const f = () => undefined;']);
});

test('a refusal is forgotten, and the words of its error are left alone', () => {
  assert.deepEqual(changed('throw new Error(a + 1);'), [';']);
});

test('numbers grow by one and methods are confused or forgotten', () => {
  assert.deepEqual(changed('f = 3;'), [';', 'f = (3 + 1);']);
  assert.deepEqual(changed('f = Math.min(a, b);'), [';', 'f = Math.max(a, b);']);
  assert.deepEqual(changed('f = a.filter(b);'), [';', 'f = a;']);
});

test('types, imports and tables of constants have no mutants', () => {
  assert.deepEqual(changed('type A = 1 | 2; interface B { a: 3 }'), []);
  assert.deepEqual(changed("import { a } from './a.ts';"), []);
  assert.deepEqual(
    changed('const gpus = [{ name: "H100", bytes: 80 * 2 ** 30, tflops: 989, sms: 132 }];'),
    [],
  );
});

test('types beside a value do not hide it', () => {
  assert.deepEqual(changed('const a = (b < c) as boolean;'), [
    'const a = ((b <= c)) as boolean;',
    'const a = ((b >= c)) as boolean;',
  ]);
});

test('a mutant keeps its identity when lines move, and names the function around it', () => {
  const source = 'class A { size() { return this.n - 1; } }';
  const [before] = mutantsOf('a.ts', source);
  const [after] = mutantsOf('a.ts', `// é… a comment above\n\n${source}`);
  assert.deepEqual(before?.identity, after?.identity);
  assert.equal(before?.identity.within, 'A.size');
  assert.deepEqual([before?.line, after?.line], [1, 3]);
});

test('a test covers the offsets between the edges of what it ran', () => {
  const ran = { covered: { 'src/a.ts': [10, 20, 30, 40] } };
  const test = { path: 'a.test.ts', isUnit: true, passed: true, durationMs: 1, ...ran };
  const offsets = [9, 10, 19, 20, 29, 30, 40];
  assert.deepEqual(
    offsets.map((offset) => covers(test, 'src/a.ts', offset)),
    [false, true, true, false, false, true, false],
  );
  assert.ok(!covers(test, 'src/b.ts', 10));
});

test('a measurement that was cut short is made again, as is one with a report cut short', async () => {
  const root = mkdtempSync(join(tmpdir(), 'mutants-test-'));
  try {
    const cached = join(root, '.cache/mutants/src__a.test.ts.json');
    for (const folder of ['src', '.cache/mutants'])
      mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, 'src/a.test.ts'), '');
    writeFileSync(cached, '{"path":"src/a.te');
    const coverage = join(root, 'tmp/coverage');
    const run = () => {
      mkdirSync(coverage, { recursive: true });
      writeFileSync(join(coverage, 'coverage-1.json'), '{"result":[{"url"');
      return Promise.resolve({ passed: true, timedOut: false, durationMs: 1, failed: undefined });
    };
    const tree = { root, run } as unknown as ScratchTree;
    const options = {
      root,
      files: new Set<string>(),
      patterns: ['src/**/*.test.ts'],
      log: assert.fail,
    };
    const tests = await measuredTests([tree], options);
    assert.deepEqual(
      tests.map(({ path }) => path),
      ['src/a.test.ts'],
    );
    assert.equal(JSON.parse(readFileSync(cached, 'utf8')).path, 'src/a.test.ts');
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
