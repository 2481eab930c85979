// Which test files reach which code, and how long each takes: measured once per test file with V8's
// coverage, kept in .cache/mutants until the test changes or a file of the rooms that it loads.
// Programs that a test starts count too, for they inherit NODE_V8_COVERAGE.
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ScratchTree } from './scratch-tree.ts';

/** What one test file does when nothing is broken. */
export interface TestFile {
  readonly path: string;
  readonly isUnit: boolean;
  readonly passed: boolean;
  readonly durationMs: number;
  /** Source file to the offsets where covered stretches begin and end, in turn. */
  readonly covered: Readonly<Record<string, readonly number[]>>;
}

/** A test file with what its figures hold for. */
interface Measured extends TestFile {
  /** Each file of the repository that it loads, with the hash of its content. */
  readonly loaded: Readonly<Record<string, string>>;
}

/** A test file that takes longer without a mutant is left out. Plans take minutes while coverage is measured. */
const testFileMsMax = 900_000;

export interface MeasureOptions {
  readonly root: string;
  /** The files that matter: a test is measured again if it loaded one that has changed. */
  readonly files: ReadonlySet<string>;
  /** Globs of the test files, relative to the root. */
  readonly patterns: readonly string[];
  readonly log: (line: string) => void;
}

/** The test files of `npm test`, each with its coverage; those that are not known yet run now. */
export async function measuredTests(
  trees: readonly ScratchTree[],
  { root, files, patterns, log }: MeasureOptions,
): Promise<TestFile[]> {
  const cache = join(root, '.cache', 'mutants');
  mkdirSync(cache, { recursive: true });
  const rest = globSync([...patterns], { cwd: root })
    .sort()
    .values();
  const tests: TestFile[] = [];
  const work = async (tree: ScratchTree): Promise<void> => {
    for (const path of rest) {
      const file = join(cache, `${path.replaceAll('/', '__')}.json`);
      const known = readJson<Measured>(file);
      const isKnown = known !== undefined && isCurrent(known, root, files);
      const measured = isKnown ? known : await measure(path, tree);
      if (!measured.passed) log(`${path} fails without a mutant and is left out`);
      else if (!isKnown) replaceFile(file, JSON.stringify(measured));
      tests.push(measured);
    }
  };
  await Promise.all(trees.map(work));
  return tests.filter(({ passed }) => passed);
}

/** Whether a test file runs the code at an offset of a source file. */
export function covers(test: TestFile, file: string, offset: number): boolean {
  const edges = test.covered[file];
  if (edges === undefined) return false;
  // An odd number of edges at or before the offset: inside a covered stretch.
  const before = edges.findIndex((edge) => edge > offset);
  return (before === -1 ? edges.length : before) % 2 === 1;
}

async function measure(path: string, tree: ScratchTree): Promise<Measured> {
  const directory = join(tree.root, 'tmp', 'coverage');
  rmSync(directory, { recursive: true, force: true });
  const { passed, durationMs } = await tree.run([path], {
    timeoutMs: testFileMsMax,
    environment: { NODE_V8_COVERAGE: directory },
  });
  const stretches = new Map<string, Stretch[]>();
  const loaded: Record<string, string> = {};
  for (const report of existsSync(directory) ? readdirSync(directory) : []) {
    // A process that is killed at the end of its test leaves a report cut short, which counts as none.
    const { result } = readJson<Report>(join(directory, report)) ?? {};
    for (const { url, functions } of result ?? []) {
      const file = url.startsWith('file:') ? relative(tree.root, fileURLToPath(url)) : '';
      // Neither dependencies nor what a test has made.
      if (!/^(src|test|scripts|bin)\//.test(file)) continue;
      loaded[file] = hashOf(tree.read(file));
      if (!file.startsWith('src/') || file.endsWith('.test.ts')) continue;
      stretches.set(file, [...(stretches.get(file) ?? []), ...coveredStretches(functions)]);
    }
  }
  const covered = Object.fromEntries([...stretches].map(([file, list]) => [file, union(list)]));
  return { path, isUnit: path.startsWith('src/'), passed, durationMs, covered, loaded };
}

/** What Node writes below NODE_V8_COVERAGE, one file per process. */
interface Report {
  readonly result: readonly { readonly url: string; readonly functions: readonly Fun[] }[];
}

interface Fun {
  readonly ranges: readonly Range[];
}

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

type Stretch = readonly [start: number, end: number];

/** The stretches whose innermost range has run; ranges nest. */
function coveredStretches(functions: readonly Fun[]): Stretch[] {
  const ranges = functions
    .flatMap(({ ranges }) => ranges)
    .sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  const stretches: Stretch[] = [];
  const open: Range[] = [];
  let from = 0;
  const advance = (to: number): void => {
    if (to > from && (open.at(-1)?.count ?? 0) > 0) stretches.push([from, to]);
    from = to;
  };
  for (const range of ranges) {
    for (let last = open.at(-1); last && last.endOffset <= range.startOffset; last = open.at(-1)) {
      advance(last.endOffset);
      open.pop();
    }
    advance(range.startOffset);
    open.push(range);
  }
  for (let last = open.pop(); last; last = open.pop()) {
    open.push(last);
    advance(last.endOffset);
    open.pop();
  }
  return stretches;
}

/** Stretches joined where they touch, as a list of edges. */
function union(stretches: readonly Stretch[]): number[] {
  const edges: number[] = [];
  for (const [start, end] of stretches.toSorted((a, b) => a[0] - b[0])) {
    const last = edges.at(-1);
    if (last !== undefined && start <= last) edges[edges.length - 1] = Math.max(last, end);
    else edges.push(start, end);
  }
  return edges;
}

function isCurrent({ path, loaded }: Measured, root: string, files: ReadonlySet<string>): boolean {
  return Object.entries(loaded).every(([file, hash]) => {
    if (!existsSync(join(root, file))) return false;
    if (file !== path && !files.has(file)) return true;
    return hashOf(readFileSync(join(root, file), 'utf8')) === hash;
  });
}

/** @returns Undefined if there is no such file, or it is not whole. */
function readJson<T>(file: string): T | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Writes a file in one step: worktrees that share `.cache` may measure at the same time. */
function replaceFile(file: string, text: string): void {
  const part = `${file}.${process.pid}`;
  writeFileSync(part, text);
  renameSync(part, file);
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
