// Plants small mistakes (mutants) in a room's code, one at a time, and checks that a test of `npm test` fails
// for each. Run by hand; decision 0021 explains what is mutated and why.
//
//   node test/lanes/mutants/run.ts --rooms core/engine,core/routing --sample 60 --seed 1
//
// --rooms     folders below src, separated by commas
// --sample    number of mutants per room, drawn at random; 0 for all (default 60)
// --seed      seed of the draw (default: a new one, which is printed)
// --jobs      number of mutants tried at the same time (default 1)
// --unit      only unit tests: faster, but integration tests may kill some of the survivors
// --own       only the unit tests of the rooms themselves: fastest, but other tests may kill some survivors
// --tests     with --own: globs of additional test files, separated by commas
// --then      globs of test files, separated by commas, that are tried, without measuring what they cover, on
//             the survivors of the others
// --again     a report written by --json: tries its survivors again instead of drawing new mutants
// --json      file to write the full report to
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../../src/core/base/index.ts';
import { measuredTests, type TestFile } from './coverage.ts';
import { isEquivalent, isSame, readEquivalents } from './equivalents.ts';
import { furtherTests } from './further-tests.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import { ScratchTree } from './scratch-tree.ts';
import { type Kills, type Trial, tryMutant, type Verdict } from './trial.ts';

interface RoomResult {
  readonly room: string;
  /** Total number of mutants in the room's files. */
  readonly mutants: number;
  readonly killed: number;
  /** Those of `killed` that only test files of `--then` noticed. */
  readonly killedThen: number;
  readonly survived: number;
  readonly uncovered: number;
  readonly equivalent: number;
  /** Share killed of those that are not equivalent; NaN if there are none. */
  readonly killedShare: number;
  readonly survivors: readonly Survivor[];
}

interface Survivor {
  readonly verdict: Verdict;
  readonly file: string;
  readonly line: number;
  readonly operator: string;
  readonly within: string;
  readonly original: string;
  readonly mutated: string;
}

interface Report {
  readonly commit: string;
  readonly seed: number;
  readonly sample: number;
  readonly rooms: readonly RoomResult[];
}

const root = join(import.meta.dirname, '..', '..', '..');
const sourceRoot = join(root, 'src');

try {
  process.exitCode = await main();
} catch (error) {
  // On standard output too, where the rates are: a log without the reason would look like an end.
  print(`mutants: failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rooms: { type: 'string' },
      sample: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e6)) },
      jobs: { type: 'string', default: '1' },
      unit: { type: 'boolean', default: false },
      own: { type: 'boolean', default: false },
      tests: { type: 'string' },
      // biome-ignore lint/suspicious/noThenProperty: the name of a flag; nobody awaits it.
      then: { type: 'string' },
      again: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const [sample, seed, jobs] = [Number(values.sample), Number(values.seed), Number(values.jobs)];
  const again = values.again
    ? (JSON.parse(readFileSync(values.again, 'utf8')) as Report)
    : undefined;
  const rooms = values.rooms?.split(',') ?? again?.rooms.map(({ room }) => room) ?? [];
  if (rooms.length === 0 || [sample, seed].some(Number.isNaN) || !(jobs >= 1)) {
    process.stderr.write(
      'usage: run.ts --rooms core/engine,… [--sample 60] [--seed 1] [--jobs 1] [--unit] [--own]\n',
    );
    return 2;
  }
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { cwd: root });
  const head = { commit: commit.toString().trim(), seed, sample };
  print(`mutants: commit ${head.commit}, seed ${seed}, ${sample || 'all'} per room`);

  const perRoom = new Map(rooms.map((room) => [room, mutantsIn(room)]));
  const equivalents = readEquivalents();
  const stale = equivalents.filter(
    (entry) =>
      [...perRoom.keys()].some((room) => entry.file.startsWith(`src/${room}/`)) &&
      ![...perRoom.values()].flat().some((mutant) => isSame(entry, mutant)),
  );
  for (const { file, original } of stale) {
    print(`equivalent.json names a mutant that is gone: ${file}: ${original}; remove the entry`);
  }

  const trees = Array.from({ length: jobs }, () => new ScratchTree(root));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      print(`mutants: ended by ${signal}`);
      for (const tree of trees) tree.remove();
      process.exit(128 + constants.signals[signal]);
    });
  }
  try {
    const files = new Set([...perRoom.values()].flat().map(({ file }) => file));
    const integration = values.unit ? [] : ['test/integration/**/*.test.ts'];
    const patterns = values.own
      ? [...rooms.map((room) => `src/${room}/**/*.test.ts`), ...(values.tests?.split(',') ?? [])]
      : ['src/**/*.test.ts', ...integration];
    const measured = await measuredTests(trees, { root, files, patterns, log: print });
    const further = values.then?.split(',') ?? [];
    const unmeasured = await furtherTests(trees, { root, patterns: further, log: print });
    print(`${measured.length} test files, then ${unmeasured.length}`);
    const isMeasured = new Set(measured.map(({ path }) => path));
    const tests = [...measured, ...unmeasured.filter(({ path }) => !isMeasured.has(path))];
    const results: RoomResult[] = [];
    for (const [room, mutants] of perRoom) {
      const drawn = again ? survivorsOf(again, mutants) : draw(mutants, sample, seed);
      const tried = drawn.filter((mutant) => !isEquivalent(mutant, equivalents));
      const resultOf = (trials: readonly Trial[]) =>
        summary(room, mutants.length, trials, drawn.length - tried.length);
      const save = (result: RoomResult): void => {
        const report: Report = { ...head, rooms: [...results, result] };
        if (values.json) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
      };
      const trials = await tryAll(tried, tests, trees, (soFar) => save(resultOf(soFar)));
      results.push(resultOf(trials));
      printRoom(results.at(-1) as RoomResult);
    }
  } finally {
    for (const tree of trees) tree.remove();
  }
  return stale.length === 0 ? 0 : 1;
}

function mutantsIn(room: string): Mutant[] {
  const files = globSync(`${room}/**/*.ts`, { cwd: sourceRoot });
  const sources = files.filter((file) => !/\.(test|suite)\.ts$/.test(file)).sort();
  return sources.flatMap((file) =>
    mutantsOf(`src/${file}`, readFileSync(join(sourceRoot, file), 'utf8')),
  );
}

/** Draws a random sample without repetition; 0 returns all mutants. */
function draw(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  const random = seededRandom(seed);
  return mutants
    .map((mutant) => ({ mutant, rank: random.next() }))
    .toSorted((a, b) => a.rank - b.rank)
    .slice(0, count || mutants.length)
    .map(({ mutant }) => mutant);
}

function survivorsOf(report: Report, mutants: readonly Mutant[]): Mutant[] {
  const survivors = report.rooms.flatMap((room) => room.survivors);
  return mutants.filter((mutant) => survivors.some((entry) => isSame(entry, mutant)));
}

/** Tries all mutants; each tree takes the next one as soon as it is free. */
async function tryAll(
  mutants: readonly Mutant[],
  tests: readonly TestFile[],
  trees: readonly ScratchTree[],
  onTrial: (trials: readonly Trial[]) => void,
): Promise<Trial[]> {
  const trials: Trial[] = [];
  const kills: Kills = new Map();
  const rest = mutants.values();
  const work = async (tree: ScratchTree): Promise<void> => {
    for (const mutant of rest) {
      const trial = await tryMutant(mutant, tests, tree, kills);
      trials.push(trial);
      onTrial(trials);
      if (trial.verdict !== 'killed') print(describe(survivor(trial)));
    }
  };
  await Promise.all(trees.map(work));
  return trials;
}

function summary(
  room: string,
  mutants: number,
  trials: readonly Trial[],
  equivalent: number,
): RoomResult {
  const count = (verdict: Verdict) => trials.filter((trial) => trial.verdict === verdict).length;
  const killed = count('killed');
  const killedThen = trials.filter(({ isByFurther }) => isByFurther).length;
  const [survived, uncovered] = [count('survived'), count('uncovered')];
  const killedShare = killed / trials.length;
  const survivors = trials.filter(({ verdict }) => verdict !== 'killed').map(survivor);
  return {
    room,
    mutants,
    killed,
    killedThen,
    survived,
    uncovered,
    equivalent,
    killedShare,
    survivors,
  };
}

function survivor({ mutant, verdict }: Trial): Survivor {
  const { file, line, operator, identity } = mutant;
  return { verdict, file, line, operator, ...identity };
}

function printRoom(result: RoomResult): void {
  const { room, mutants, killed, killedThen, survived, uncovered, equivalent } = result;
  print(
    `${room}: ${(100 * result.killedShare).toFixed(1)} % killed ` +
      `(${killed} killed, ${killedThen} of them only by --then, ${survived} survived, ${uncovered} not covered, ` +
      `${equivalent} equivalent; ${mutants} mutants in the room)`,
  );
}

function describe({ verdict, file, line, original, mutated }: Survivor): string {
  return `${verdict} ${file}:${line}\n    ${shortened(original)}\n  → ${shortened(mutated)}`;
}

function shortened(text: string): string {
  const charactersMax = 300;
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
