// Checks every import in src against the table of rooms in docs/ARCHITECTURE.md.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { describe, files, imports, source, tableOf } from './source-imports.ts';

/** Room pattern to the patterns that it may import, as the table says. */
const rules = tableOf('Rooms');

test('the table of rooms covers every source file', () => {
  assert.ok(rules.size > 5, 'docs/ARCHITECTURE.md has its table');
  const homeless = files.filter((file) => ruleOf(file) === undefined);
  assert.deepEqual(homeless, []);
});

test('imports follow the table of rooms', () => {
  const wrong = imports.filter(({ file, target }) => {
    if (target === undefined || roomOf(target) === roomOf(file)) return false;
    return !(rules.get(ruleOf(file) ?? '') ?? []).some((pattern) => matches(pattern, target));
  });
  assert.deepEqual(wrong.map(describe), []);
});

test('a room is entered through its index.ts, and its contract suite by tests', () => {
  const wrong = imports.filter(
    ({ file, target }) =>
      target !== undefined &&
      roomOf(target) !== roomOf(file) &&
      target !== join(roomOf(target), 'index.ts') &&
      !(isTest(file) && target.endsWith('.suite.ts')),
  );
  assert.deepEqual(wrong.map(describe), []);
});

test('the page enters the program through the views of the router only, its worker through the simulator', () => {
  const page = join(source, '..', 'web/src');
  const entered = globSync('**/*.{ts,tsx}', { cwd: page }).flatMap((file) => {
    // Types cost nothing.
    const text = readFileSync(join(page, file), 'utf8').replace(/^import type [^;]*;/gm, '');
    if (file === 'what-if-worker.ts') {
      assert.match(text, /from '\.\.\/\.\.\/src\/core\/what-if\/index\.ts'/);
      return [];
    }
    return [...text.matchAll(/from '([^']*\/src\/[^']*)'/g)].map(([, specifier = '']) => specifier);
  });
  assert.deepEqual([...new Set(entered)], ['../../src/core/views/index.ts']);
});

test('core is pure: no Node import, no wall clock, no Math.random, no timer', () => {
  const impure = files
    .filter((file) => file.startsWith('core/') && !isTest(file))
    .flatMap((file) => {
      const text = readFileSync(join(source, file), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
      const found = text.match(
        /from 'node:[^']*'|\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bMath\.random\b|\bset(Timeout|Interval|Immediate)\(|\bprocess\.|\bBuffer\./g,
      );
      return found ? [`${file}: ${[...new Set(found)].join(', ')}`] : [];
    });
  assert.deepEqual(impure, []);
});

test('no program code imports a contract suite', () => {
  const wrong = imports.filter(
    ({ file, target }) => target?.endsWith('.suite.ts') && !isTest(file),
  );
  assert.deepEqual(wrong.map(describe), []);
});

test('no two rooms import each other', () => {
  const edges = new Map<string, Set<string>>();
  for (const { file, target } of imports) {
    if (target === undefined || isTest(file)) continue;
    const [from, to] = [roomOf(file), roomOf(target)];
    if (from !== to) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  }
  const cycles: string[] = [];
  const walk = (room: string, path: readonly string[]): void => {
    if (path.includes(room)) {
      cycles.push([...path.slice(path.indexOf(room)), room].join(' → '));
      return;
    }
    for (const next of edges.get(room) ?? []) walk(next, [...path, room]);
  };
  for (const room of edges.keys()) walk(room, []);
  assert.deepEqual([...new Set(cycles)], []);
});

/** Tests, and the contract suites that several of them run. */
function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || file.endsWith('.suite.ts');
}

/** The folder that counts as one room: core/x, io/x, apps/x, tools/x, or cli. */
function roomOf(path: string): string {
  const parts = path.split('/');
  return parts[0] === 'cli' ? 'cli' : parts.slice(0, 2).join('/');
}

/** The row of the table that a file falls under. */
function ruleOf(file: string): string | undefined {
  return [...rules.keys()].find((pattern) => matches(pattern, file));
}

function matches(pattern: string, path: string): boolean {
  return pattern.endsWith('/*')
    ? path.startsWith(pattern.slice(0, -1))
    : path === pattern || path.startsWith(`${pattern}/`);
}
