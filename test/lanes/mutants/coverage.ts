// Measures which code each test file covers, and how long it takes, with V8's coverage. The result is cached in
// .cache/mutants until the test, or a file of the rooms that it loads, changes. Programs that a test starts are
// included, because they inherit NODE_V8_COVERAGE.
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

/** A test file and what it covers without a mutant. */
export interface TestFile {
  readonly path: string;
  readonly isUnit: boolean;
  readonly passed: boolean;
  readonly durationMs: number;
  /**
   * For each source file, the offsets at which covered ranges begin and end, alternately. Undefined if it was not
   * measured: the test may cover anything.
   */
  readonly covered: Readonly<Record<string, readonly number[]>> | undefined;
}

/** A cached measurement, and the files for which it is valid. */
interface Measured extends TestFile {
  /** Files of the repository that the test loads, with the hash of their content. */
  readonly loaded: Readonly<Record<string, string>>;
}

/** Test files that take longer without a mutant are skipped. Plans take minutes while coverage is measured. */
const testFileMsMax = 900_000;

export interface MeasureOptions {
  readonly root: string;
  /** A test is measured again if it loads one of these files and the file has changed. */
  readonly files: ReadonlySet<string>;
  /** Globs of the test files, relative to the root. */
  readonly patterns: readonly string[];
  readonly log: (line: string) => void;
}

/** Returns the test files with their coverage; runs those that are not in the cache. */
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

/** Returns whether a test file runs, or may run, the code at an offset of a source file. */
export function covers(test: TestFile, file: string, offset: number): boolean {
  if (test.covered === undefined) return true;
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

/** The files that Node writes to NODE_V8_COVERAGE, one per process. */
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

/** Returns the covered ranges. V8's ranges nest; the innermost one decides. */
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

/** Merges adjacent ranges and returns their edges. */
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

/** @returns Undefined if the file does not exist or is incomplete. */
function readJson<T>(file: string): T | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Replaces a file atomically, because worktrees that share `.cache` may measure at the same time. */
function replaceFile(file: string, text: string): void {
  const part = `${file}.${process.pid}`;
  writeFileSync(part, text);
  renameSync(part, file);
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
