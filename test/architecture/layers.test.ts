// Checks every import in src against the table of rooms in docs/ARCHITECTURE.md.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');
const source = join(root, 'src');

interface Import {
  readonly file: string;
  readonly specifier: string;
  /** Path below src, for relative imports. */
  readonly target: string | undefined;
}

/** Room pattern to the patterns that it may import, as the table says. */
const rules: ReadonlyMap<string, readonly string[]> = new Map(
  [
    ...readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8').matchAll(
      /^\| `([^`]+)` \|[^|]*\|([^|]*)\|$/gm,
    ),
  ].map(([, room = '', allowed = '']) => [
    room,
    [...allowed.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  ]),
);

const files = globSync('**/*.ts', { cwd: source });
const imports = files.flatMap(importsOf);

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

test('a room is entered through its index.ts', () => {
  const wrong = imports.filter(
    ({ file, target }) =>
      target !== undefined &&
      roomOf(target) !== roomOf(file) &&
      target !== join(roomOf(target), 'index.ts'),
  );
  assert.deepEqual(wrong.map(describe), []);
});

test('core is pure: no Node import, no wall clock, no Math.random, no timer', () => {
  const impure = files
    .filter((file) => file.startsWith('core/') && !file.endsWith('.test.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(source, file), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
      const found = text.match(
        /from 'node:[^']*'|\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bMath\.random\b|\bset(Timeout|Interval|Immediate)\(|\bprocess\.|\bBuffer\./g,
      );
      return found ? [`${file}: ${[...new Set(found)].join(', ')}`] : [];
    });
  assert.deepEqual(impure, []);
});

test('no two rooms import each other', () => {
  const edges = new Map<string, Set<string>>();
  for (const { file, target } of imports) {
    if (target === undefined || file.endsWith('.test.ts')) continue;
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

function importsOf(file: string): Import[] {
  const text = readFileSync(join(source, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier = '']) => ({
    file,
    specifier,
    target: specifier.startsWith('.')
      ? belowSource(join(source, dirname(file), specifier))
      : undefined,
  }));
}

function belowSource(path: string): string | undefined {
  const below = relative(source, path);
  return below.startsWith('..') ? undefined : below;
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

function describe({ file, specifier }: Import): string {
  return `${file} imports ${specifier}`;
}
