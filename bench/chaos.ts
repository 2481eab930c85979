// Streams through routers while their engines fail: real processes, real sockets, and each response compared with the
// unbroken one.
//
//   node bench/chaos.ts [--streams 300] [--at-once 32] [--engines 8] [--routers 2] [--fault killed,wedged,…]
//                       [--every 4] [--seconds 8] [--front spillway] [--clone CLONE] [--port 9500] [--json]
//                       [--each] [--peer-programs FOLDER] [--minutes N] [--progress FILE] [--router-logs FOLDER]
//   node bench/chaos.ts --page FILE,…
//
// Every `--every` seconds another engine fails for `--seconds` seconds, with the faults in turn; at most half of the
// engines are struck at once. The long form is `--streams 100000 --at-once 256`. --each gives each fault a run of its own.
// After --minutes no further stream begins. --progress appends the counts to a file, as JSON, every 500 streams.
// --router-logs keeps the warnings of our routers: a stream that was lost is printed with the id that it has in them.
// Fronts are spillway (of this clone or that of --clone), nginx, and vllm-router and sglang-router, which `pip install`
// puts into the folder of --peer-programs. --page writes docs/results/chaos.md from the output of `--each --json` runs.
// Exits with 1 if a client saw anything but the unbroken response, or if our routers did not return to their start.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { RouterView } from '../src/core/views/index.ts';
import {
  type Answer,
  ask,
  badOutcomes,
  check,
  closeClients,
  type Finding,
  type Variant,
} from './chaos/client.ts';
import { ChaosEngine, type Fault, faults, modelName } from './chaos/engines.ts';
import { type Front, fronts, versionOf } from './chaos/fronts.ts';
import { end, killAll, type Resources, resourcesOf } from './chaos/processes.ts';

const { values: flags } = parseArgs({
  options: {
    streams: { type: 'string', default: '300' },
    'at-once': { type: 'string', default: '32' },
    engines: { type: 'string', default: '8' },
    routers: { type: 'string', default: '2' },
    fault: { type: 'string', default: Object.keys(faults).join(',') },
    every: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '8' },
    front: { type: 'string', default: 'spillway' },
    clone: { type: 'string', default: join(import.meta.dirname, '..') },
    port: { type: 'string', default: '9500' },
    minutes: { type: 'string', default: 'Infinity' },
    progress: { type: 'string' },
    'router-logs': { type: 'string' },
    'time-scale': { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    each: { type: 'boolean', default: false },
    page: { type: 'string' },
    'peer-programs': { type: 'string', default: '' },
  },
});
const faultNames = flags.fault.split(',');
const port = Number(flags.port);
const streams = Number(flags.streams);
/** Different requests; each is sent many times. */
const variantCount = 96;
const idlePort = port + 99;
/**
 * What a router's memory in use may grow by: its windows of latencies, logs of requests and caches fill up to their bounds, whatever
 * the number of streams; 100,000 streams that each leaked 1 KiB would add 100 MB.
 */
const liveGrowthMegabytesMax = 8;

interface RunResult {
  readonly front: string;
  readonly version: string;
  readonly fault: string;
  readonly streams: number;
  readonly atOnce: number;
  readonly everySeconds: number;
  readonly faultSeconds: number;
  /** Of the machine, at the end. */
  readonly load: number;
  readonly seconds: number;
  /** Streams by what was wrong; the sum of them is the number of streams that a client did not get unbroken. */
  readonly failed: number;
  readonly cut?: number;
  readonly malformed: number;
  readonly duplicated?: number;
  readonly unequal: number;
  readonly strikes: Readonly<Record<string, number>>;
  /** What went wrong, with the number of streams. */
  readonly why: Readonly<Record<string, number>>;
  readonly firstTokenMsP99: number;
  readonly longestGapMsP99: number;
  readonly longestGapMs: number;
  /** Our routers only: what was not back to its start. */
  readonly leftOver: readonly string[];
  readonly resources: readonly { readonly before: Resources; readonly after: Resources }[];
}

const variants: readonly Variant[] = Array.from({ length: variantCount }, (_, i) => {
  // Different from the first word on, so that prompts are cached on all engines and not on one.
  const words = Array.from({ length: 60 + 40 * (i % 7) }, (_, k) => `${(i + 1) * (k + 7)}`);
  const prompt = `${words.join(' plus ')} is`;
  const shared = {
    ...{ model: modelName, max_tokens: 40 + 15 * (i % 12), ignore_eos: true, temperature: 1 },
    ...{ stream: true, stream_options: { include_usage: true }, ...(i % 4 === 3 && { seed: i }) },
  };
  return i % 3 === 2
    ? { path: '/v1/completions', body: { ...shared, prompt } }
    : {
        path: '/v1/chat/completions',
        body: { ...shared, messages: [{ role: 'user', content: prompt }] },
      };
});

if (flags.page !== undefined) {
  writePage(flags.page.split(','));
  process.exit();
}

const folder = mkdtempSync(join(tmpdir(), 'spillway-chaos-'));
const engines = Array.from(
  { length: Number(flags.engines) },
  (_, i) => new ChaosEngine(port + 10 + i, flags['time-scale']),
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    killAll();
    rmSync(folder, { recursive: true, force: true });
    process.exit(130);
  });
}

process.on('exit', killAll);

for (const name of faultNames) {
  if (faults[name] !== undefined) continue;
  throw new Error(`--fault has "${name}"; faults are ${Object.keys(faults).join(', ')}`);
}

let isGood = true;
try {
  say(`starting ${engines.length} engines`);
  const unbroken = new ChaosEngine(idlePort, 'inf');
  await Promise.all([unbroken, ...engines].map((engine) => engine.start()));
  const answers = await Promise.all(variants.map((variant) => ask(unbroken.url, variant)));
  await unbroken.stop('SIGKILL');
  for (const names of flags.each ? faultNames.map((name) => [name]) : [faultNames]) {
    const result = await run(flags.front, flags.clone, names, answers);
    console.log(flags.json ? JSON.stringify(result) : textOf(result));
    isGood &&= isUnbroken(result);
  }
} finally {
  closeClients();
  killAll();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = isGood ? 0 : 1;

/** All streams of one front, under these faults in turn. */
async function run(
  frontName: string,
  clone: string,
  names: readonly string[],
  answers: readonly Answer[],
): Promise<RunResult> {
  const options = {
    ...{ engines: engines.map(({ url }) => url), port, routers: Number(flags.routers), clone },
    ...{ folder: join(folder, frontName), peerPrograms: flags['peer-programs'] },
    routerLogs: flags['router-logs'],
  };
  const front = await (fronts[frontName] as (typeof fronts)[string])(options);
  const isOurs = frontName === 'spillway';
  try {
    // Caches and connections that stay open exist from now on.
    await playStreams(front, variantCount, answers, () => {});
    if (isOurs) await settled(front);
    const before = await Promise.all(front.processes.map(resourcesOf));
    const beganMs = performance.now();
    const stop = new AbortController();
    const strikes = strikeInTurn(names, stop.signal);
    const findings = await playStreams(front, streams, answers, (done, bad) => {
      if (done.length % 100 === 0)
        say(`${frontName}: ${done.length} of ${streams} streams, ${bad} not as they should be`);
      if (flags.progress !== undefined && done.length % 500 === 0) {
        const elapsed = Math.round((performance.now() - beganMs) / 1000);
        const line = { streams: done.length, seconds: elapsed, ...summaryOf(done) };
        appendFileSync(flags.progress, `${JSON.stringify(line)}\n`);
      }
    });
    const seconds = (performance.now() - beganMs) / 1000;
    stop.abort();
    const struck = await strikes;
    const leftOver = isOurs ? await settled(front) : [];
    const after = await Promise.all(front.processes.map(resourcesOf));
    return {
      ...{ front: frontName, version: versionOf(frontName, options), fault: names.join(', ') },
      ...{ streams: findings.length, seconds: Math.round(seconds), strikes: struck, leftOver },
      ...{ atOnce: Number(flags['at-once']), everySeconds: Number(flags.every) },
      ...{ faultSeconds: Number(flags.seconds), load: loadavg()[0] ?? Number.NaN },
      ...summaryOf(findings),
      resources: before.map((one, i) => ({ before: one, after: after[i] as Resources })),
    };
  } finally {
    await Promise.all(
      front.processes.map((process) => end(process, isOurs ? 'SIGKILL' : 'SIGTERM')),
    );
  }
}

/** Keeps `--at-once` streams open until all have ended. */
async function playStreams(
  { urls }: Front,
  count: number,
  answers: readonly Answer[],
  onDone: (done: readonly Finding[], bad: number) => void,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  let sent = 0;
  let bad = 0;
  const endMs = performance.now() + Number(flags.minutes) * 60_000;
  const client = async () => {
    while (sent < count && performance.now() < endMs) {
      const i = sent++;
      const at = i % variantCount;
      const url = urls[i % urls.length] as string;
      const id = `chaos-${i}`;
      const finding = await check(url, variants[at] as Variant, answers[at] as Answer, id);
      findings.push(finding);
      if (finding.outcome !== 'ok') {
        bad++;
        say(`${id} through ${url}: ${finding.outcome}: ${finding.why}`);
      }
      onDone(findings, bad);
      // A client whose request was refused does not ask again at once.
      if (finding.outcome === 'failed') await sleep(50);
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, Number(flags['at-once'])) }, client));
  return findings;
}

/** Strikes one engine after another until the signal, then heals all. @returns Number of strikes by fault. */
async function strikeInTurn(
  names: readonly string[],
  signal: AbortSignal,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const struck = new Map<ChaosEngine, Promise<void>>();
  for (let turn = 0; !signal.aborted; turn++) {
    const name = names[turn % names.length] as string;
    const target = firstWhole(struck, turn);
    if (target !== undefined && struck.size < engines.length / 2) {
      counts[name] = (counts[name] ?? 0) + 1;
      const fault = faults[name] as Fault;
      const healed = fault(target, Number(flags.seconds))
        .catch((error: unknown) => heal(target, `${name} at ${target.url}: ${error}`))
        .finally(() => struck.delete(target));
      struck.set(target, healed);
    }
    await sleep(Number(flags.every) * 1000, undefined, { signal }).catch(() => {});
  }
  await Promise.all(struck.values());
  return counts;
}

/** Restarts an engine that a fault left in another state than it should: a busy machine may be too slow for it. */
async function heal(engine: ChaosEngine, why: string): Promise<void> {
  say(why);
  await engine.stop('SIGKILL');
  await engine.start().catch((error: unknown) => say(`${engine.url} stays out: ${error}`));
}

function firstWhole(
  struck: ReadonlyMap<ChaosEngine, unknown>,
  turn: number,
): ChaosEngine | undefined {
  // Steps of 3 visit all of 8 engines, and not neighbours after each other.
  const order = engines.map((_, i) => engines[(3 * turn + i) % engines.length] as ChaosEngine);
  return order.find((engine) => !struck.has(engine));
}

/** Waits until the routers count nothing in flight. @returns What they still count after that. */
async function settled(front: Front): Promise<string[]> {
  let left: string[] = [];
  for (let attempt = 0; attempt < 100; attempt++) {
    left = [];
    for (const url of front.urls) {
      // Not by today's parser: the router may be an older one.
      const answer = await fetch(`${url}/debug/router`);
      const view = (await answer.json()) as Pick<RouterView, 'engines'>;
      for (const engine of view.engines) {
        const { inflight, prefilling, prefillTokens } = engine.load;
        if (engine.state !== 'live') left.push(`${url}: ${engine.url} is ${engine.state}`);
        if (inflight + prefilling + prefillTokens > 0) {
          left.push(`${url} counts ${inflight} in flight at ${engine.url}`);
        }
      }
    }
    if (left.length === 0) break;
    await sleep(200);
  }
  // Idle connections to engines are closed after 3 s, those of the clients now.
  closeClients();
  await sleep(4_000);
  return left;
}

function summaryOf(findings: readonly Finding[]) {
  const count = (outcome: string) => findings.filter((one) => one.outcome === outcome).length;
  const why: Record<string, number> = {};
  for (const { outcome, why: reason } of findings) {
    if (outcome === 'ok') continue;
    const key = `${outcome}: ${reason.replace(/\d{3,}/g, 'N').slice(0, 120)}`;
    why[key] = (why[key] ?? 0) + 1;
  }
  const good = findings.filter(({ outcome }) => outcome === 'ok');
  const p99 = (values: readonly number[]) => {
    const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
    return Math.round(sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN);
  };
  const gaps = good.map(({ longestGapMs }) => longestGapMs);
  return {
    ...{ failed: count('failed'), cut: count('cut'), malformed: count('malformed') },
    ...{ duplicated: count('duplicated'), unequal: count('unequal'), why },
    firstTokenMsP99: p99(good.map(({ firstTokenMs }) => firstTokenMs)),
    longestGapMsP99: p99(gaps),
    longestGapMs: Math.round(Math.max(0, ...gaps)),
  };
}

/** Whether no client noticed anything, and nothing is left over. */
function isUnbroken(result: RunResult): boolean {
  const { leftOver, resources } = result;
  const growsSockets = resources.some(({ before, after }) => after.sockets > before.sockets + 8);
  const growsMemory = resources.some(
    ({ before, after }) =>
      (after.liveMegabytes ?? 0) > (before.liveMegabytes ?? 0) + liveGrowthMegabytesMax,
  );
  return brokenOf(result) === 0 && leftOver.length === 0 && !growsSockets && !growsMemory;
}

/** Number of streams that a client did not get as the unbroken one. */
function brokenOf(result: RunResult): number {
  return badOutcomes.reduce((sum, outcome) => sum + (result[outcome] ?? 0), 0);
}

function textOf(result: RunResult): string {
  const { front, version, streams: count, seconds } = result;
  const rows = [
    ['front', `${front} ${version}`],
    ['streams', `${count} in ${seconds} s`],
    [badOutcomes.join(' / '), badOutcomes.map((outcome) => result[outcome] ?? 0).join(' / ')],
    [
      'strikes',
      Object.entries(result.strikes)
        .map(([name, n]) => `${name} ${n}`)
        .join(', '),
    ],
    ['first token, p99', `${result.firstTokenMsP99} ms`],
    ['longest gap in a stream, p99 / max', `${result.longestGapMsP99} / ${result.longestGapMs} ms`],
    ...result.resources.map(({ before, after }, i) => [
      `process ${i + 1}`,
      `${before.rssMegabytes} → ${after.rssMegabytes} MB, ${before.liveMegabytes ?? '?'} → ${after.liveMegabytes ?? '?'} MB in use, ` +
        `${before.sockets} → ${after.sockets} sockets`,
    ]),
    ...Object.entries(result.why).map(([reason, n]) => [`${n} ×`, reason]),
    ...result.leftOver.map((what) => ['left over', what]),
  ];
  return rows.map(([name = '', value]) => `${name.padEnd(52)} ${value}`).join('\n');
}

/** Writes the page of results from the lines of several `--each --json` runs, one column for each front. */
function writePage(files: readonly string[]): void {
  const lines = files.flatMap((file) => readFileSync(file, 'utf8').split('\n'));
  const results = lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as RunResult);
  const columns = [...new Set(results.map(({ front, version }) => `${front} ${version}`))];
  const [{ model = 'unknown' } = {}] = cpus();
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const cell = (fault: string, column: string) => {
    const found = results.find(
      (one) => one.fault === fault && `${one.front} ${one.version}` === column,
    );
    if (found === undefined) return '–';
    const { seconds, longestGapMsP99: gapMs } = found;
    return `${brokenOf(found)} (${seconds} s, ${(gapMs / 1000).toFixed(1)} s)`;
  };
  const table = [
    row(['fault', ...columns]),
    row(['---', ...columns.map(() => '--:')]),
    ...Object.keys(faults).map((fault) => row([fault, ...columns.map((one) => cell(fault, one))])),
  ];
  const {
    load = 0,
    streams: count = 0,
    atOnce = 0,
    everySeconds = 0,
    faultSeconds = 0,
  } = results[0] ?? {};
  writeFileSync(
    join(import.meta.dirname, '../docs/results/chaos.md'),
    `# Streams while engines fail

    node bench/chaos.ts --each --json --streams ${count} --at-once ${atOnce} --every ${everySeconds} --seconds ${faultSeconds} --front FRONT

${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} × ${model}; the machine had other work (load ${load.toFixed(0)}).
${flags.engines} embedded engines (${modelName} on an H100, one process each), ${atOnce} streams at once of 40 to 205 tokens, ${count} in
each cell. Every ${everySeconds} s another engine fails for up to ${faultSeconds} s, at most half of them at once. A cell has the number of streams
that a client did not get as the unbroken one: failed, malformed or with another text; in brackets, the duration of
the run and the p99 of the longest gap between tokens of a stream. Spillway: ${flags.routers} routers that share their attempts. The others:
one process, with the retries that they have and round robin or least connections.

${table.join('\n')}
`,
  );
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
