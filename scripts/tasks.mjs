// The tasks behind the npm scripts. Each takes {node, args, root} and returns an exit status.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { passSignals, statusOf } from '../bin/pass-signals.mjs';

export const tasks = {
  start,
  test,
  check,
  ok,
  format,
  build,
  docs,
  'bench:truth': benchTruth,
  'bench:kv-index': benchKvIndex,
  'bench:simulate-speed': benchSimulateSpeed,
};

/** `npm start -- FLAGS`: bundles the web page if necessary, then runs `spillway up FLAGS`. */
async function start({ node, args }) {
  if (existsSync('scripts/build-web.ts')) {
    const status = await run(node, ['scripts/build-web.ts', '--if-stale']);
    if (status !== 0) return status;
  }
  // The program watches the pipe on descriptor 3, so it ends with this process even if that is killed.
  const stdio = ['inherit', 'inherit', 'inherit', 'pipe'];
  const env = { ...process.env, SPILLWAY_LIFELINE: '3' };
  return run(node, ['bin/spillway.mjs', 'up', ...args], { env, stdio });
}

/** Rooms whose tests compute, where those of others wait: two processes have about two minutes of work each. */
const computing = ['core', 'tools'];

/** The unit tests of each process. */
function unitTests() {
  const [one, other] = [true, false].map((computes) =>
    readdirSync('src')
      .filter((room) => computing.includes(room) === computes)
      .map((room) => `src/${room}/**/*.test.ts`),
  );
  return [one, [...other, 'web/src/**/*.test.ts', 'test/architecture/*.test.ts']];
}

/** Options of unit tests. One that fails with an open socket would keep the process alive for ever. */
const inOneProcess = [
  ...['--test', '--test-isolation=none', '--test-force-exit', '--test-timeout=120000'],
];

/** `npm test [-- FILES]`: runs unit tests in two processes, then integration tests, each file in its own process. */
async function test({ node, args }) {
  // Nothing is written outside the clone.
  process.env.SPILLWAY_CACHE_DIR ??= join(process.cwd(), '.cache');
  if (args.length > 0) return run(node, ['--test', ...args]);
  const directory = mkdtempSync(join(tmpdir(), 'spillway-test-'));
  const countsFile = join(directory, 'counts');
  const env = { ...process.env, SPILLWAY_TEST_COUNTS: countsFile };
  const reporter = '--test-reporter=./scripts/test-reporter.mjs';
  process.stderr.write('unit tests\n');
  const processes = unitTests();
  const units = await Promise.all(
    processes.map((files) => run(node, [...inOneProcess, reporter, ...files], { env })),
  );
  const unit = units.find((status) => status !== 0) ?? 0;
  if (isEnding) return unit || 1;
  process.stderr.write('integration tests\n');
  const integration = await run(
    node,
    [
      ...['--test', '--test-concurrency=2', '--test-timeout=120000', reporter],
      'test/integration/**/*.test.ts',
    ],
    { env },
  );
  printTotal(countsFile, processes.length + 1);
  rmSync(directory, { recursive: true });
  return unit || integration;
}

/** Prints the counts of all runs as the last line of `npm test`; nothing if one of them did not end. */
function printTotal(countsFile, runsExpected) {
  if (!existsSync(countsFile)) return;
  const runs = readFileSync(countsFile, 'utf8').trim().split('\n').map(JSON.parse);
  if (runs.length < runsExpected) return;
  const sum = (key) => runs.reduce((total, counts) => total + counts[key], 0);
  const skipped = sum('skipped') > 0 ? `, ${sum('skipped')} skipped` : '';
  process.stderr.write(`npm test: ${sum('passed')} passed, ${sum('failed')} failed${skipped}\n`);
}

/** `npm run check`: format, lint, types, unused code and generated docs. All of them run, so one call shows every fault. */
async function check({ node }) {
  const checks = [
    [
      'format and lint',
      [bin('@biomejs/biome', 'bin/biome'), 'ci', '--error-on-warnings', '--reporter=summary'],
    ],
    ['types', [bin('typescript', 'bin/tsc'), '--noEmit']],
    ...(existsSync('web/tsconfig.json')
      ? [['types (web)', [bin('typescript', 'bin/tsc'), '--noEmit', '-p', 'web']]]
      : []),
    ['unused code', [bin('knip', 'bin/knip.js'), '--no-progress']],
    ['generated docs', ['scripts/docs.ts', '--check']],
  ];
  const failed = [];
  for (const [name, command] of checks) {
    process.stderr.write(`check: ${name}\n`);
    if ((await run(node, command)) !== 0) failed.push(name);
    if (isEnding) return 1;
  }
  if (failed.length > 0) process.stderr.write(`check: FAILED: ${failed.join(', ')}\n`);
  return failed.length === 0 ? 0 : 1;
}

/** `npm run ok`: everything that CI requires of a commit, except the lanes. */
async function ok(context) {
  const checked = await check(context);
  if (isEnding) return checked || 1;
  const tested = await test({ ...context, args: [] });
  process.stderr.write(checked || tested ? 'ok: FAILED\n' : 'ok: all good\n');
  return checked || tested;
}

/** `npm run format`: formats, sorts imports and applies safe lint fixes. */
function format({ node }) {
  return run(node, [bin('@biomejs/biome', 'bin/biome'), 'check', '--write']);
}

/** `npm run build`: the bundle that a published package runs, and the web page. */
function build({ node }) {
  return run(node, ['scripts/build.ts']);
}

/** `npm run docs [-- --check]`: writes docs/reference from the code, or checks that it is current. */
function docs({ node, args }) {
  return run(node, ['scripts/docs.ts', ...args]);
}

/** `npm run bench:kv-index`: measures the cost of the index of KV blocks. */
function benchKvIndex({ node }) {
  return run(node, ['bench/kv-index.ts']);
}

/** `npm run bench:truth [-- DIRECTORY]`: compares the engine model with recorded runs of a real vLLM. */
function benchTruth({ node, args }) {
  return run(node, ['bench/truth.ts', ...args]);
}

/** `npm run bench:simulate-speed [-- --large]`: measures how long fleets take to simulate. */
function benchSimulateSpeed({ node, args }) {
  return run(node, ['bench/simulate-speed.ts', ...args]);
}

function bin(packageName, file) {
  return join('node_modules', packageName, file);
}

/** Whether a signal arrived: the running child receives it, and no other child is started. */
let isEnding = false;

/** Runs a child in this terminal, passes on signals that the child did not receive, and resolves with its exit status. */
function run(command, commandArgs, { env = process.env, stdio = 'inherit' } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, commandArgs, { stdio, env });
    const release = passSignals(child, () => {
      isEnding = true;
    });
    child.on('error', (error) => {
      release();
      process.stderr.write(`spillway: cannot start ${command}: ${error.message}\n`);
      resolve(1);
    });
    child.on('exit', (code, signal) => {
      release();
      resolve(statusOf(code, signal));
    });
  });
}
