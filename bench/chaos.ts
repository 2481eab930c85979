// Streams through routers while their engines fail: real processes, real sockets, and each response compared with the
// unbroken one.
//
//   node bench/chaos.ts [--streams 300] [--at-once 32] [--engines 8] [--routers 2] [--fault killed,wedged,…]
//                       [--every 4] [--seconds 8] [--front spillway] [--clone CLONE] [--port 9500] [--json]
//   node bench/chaos.ts --table [--against CLONE] [--peer-programs FOLDER] …
//
// Every `--every` seconds another engine fails for `--seconds` seconds, with the faults in turn; at most half of the
// engines are struck at once. The long form is `--streams 100000 --at-once 256`. With --table each fault has a run of
// its own, for our router, that of an older clone, nginx, vllm-router and sglang-router (from `pip install` in a virtual
// environment, whose `bin` is FOLDER), and the page docs/results/chaos.md is written. Exits with 1 if a client saw
// anything but the unbroken response, or if our routers did not return to their start.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parseRouterView } from '../src/core/protocol/index.ts';
import {
  type Answer,
  ask,
  check,
  closeClients,
  type Finding,
  type Variant,
} from './chaos/client.ts';
import { ChaosEngine, faults, modelName } from './chaos/engines.ts';
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
    'time-scale': { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    table: { type: 'boolean', default: false },
    against: { type: 'string' },
    'peer-programs': { type: 'string', default: '' },
  },
});
const port = Number(flags.port);
const streams = Number(flags.streams);
const variantCount = 24;
const idlePort = port + 99;

interface RunResult {
  readonly front: string;
  readonly version: string;
  readonly fault: string;
  readonly streams: number;
  readonly seconds: number;
  readonly failed: number;
  readonly malformed: number;
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
  const prompt = `Tell me about number ${i}. `.repeat(1 + (i % 7) * 6);
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

let isGood = true;
try {
  say(`starting ${engines.length} engines`);
  const unbroken = new ChaosEngine(idlePort, 'inf');
  await Promise.all([unbroken, ...engines].map((engine) => engine.start()));
  const answers = await Promise.all(variants.map((variant) => ask(unbroken.url, variant)));
  await unbroken.stop('SIGKILL');
  if (flags.table) await writeTable(answers);
  else {
    const result = await run(flags.front, flags.clone, flags.fault.split(','), answers);
    console.log(flags.json ? JSON.stringify(result) : textOf(result));
    isGood = isUnbroken(result);
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
  faultNames: readonly string[],
  answers: readonly Answer[],
): Promise<RunResult> {
  const options = {
    ...{ engines: engines.map(({ url }) => url), port, routers: Number(flags.routers), clone },
    ...{ folder: join(folder, frontName), peerPrograms: flags['peer-programs'] },
  };
  const front = await (fronts[frontName] as (typeof fronts)[string])(options);
  try {
    const isOurs = frontName === 'spillway';
    // Caches and connections that stay open exist from now on.
    await playStreams(front, 2 * variantCount, answers, () => {});
    if (isOurs) await settled(front);
    const before = front.processes.map(resourcesOf);
    const beganMs = performance.now();
    const stop = new AbortController();
    const strikes = strikeInTurn(faultNames, stop.signal);
    const findings = await playStreams(front, streams, answers, (done, bad) => {
      if (done % 100 === 0)
        say(`${frontName}: ${done} of ${streams} streams, ${bad} not as they should be`);
    });
    const seconds = (performance.now() - beganMs) / 1000;
    stop.abort();
    const struck = await strikes;
    const leftOver = isOurs ? await settled(front) : [];
    const after = front.processes.map(resourcesOf);
    return {
      ...{ front: frontName, version: versionOf(frontName, options), fault: faultNames.join(', ') },
      ...{ streams, seconds: Math.round(seconds), strikes: struck, leftOver },
      ...summaryOf(findings),
      resources: before.map((one, i) => ({ before: one, after: after[i] as Resources })),
    };
  } finally {
    await Promise.all(front.processes.map((process) => end(process, 'SIGKILL')));
  }
}

/** Keeps `--at-once` streams open until all have ended. */
async function playStreams(
  { urls }: Front,
  count: number,
  answers: readonly Answer[],
  onDone: (done: number, bad: number) => void,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  let sent = 0;
  let bad = 0;
  const client = async () => {
    while (sent < count) {
      const i = sent++;
      const at = i % variantCount;
      const url = urls[i % urls.length] as string;
      const finding = await check(url, variants[at] as Variant, answers[at] as Answer);
      findings.push(finding);
      if (finding.outcome !== 'ok') bad++;
      onDone(findings.length, bad);
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
      const fault = faults[name];
      if (fault === undefined) throw new Error(`There is no fault "${name}".`);
      const healed = fault(target, Number(flags.seconds)).finally(() => struck.delete(target));
      struck.set(target, healed);
    }
    await sleep(Number(flags.every) * 1000, undefined, { signal }).catch(() => {});
  }
  await Promise.all(struck.values());
  return counts;
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
      const view = parseRouterView(await (await fetch(`${url}/debug/router`)).text());
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
  // Idle connections to engines are closed after 3 s.
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
    ...{ failed: count('failed'), malformed: count('malformed'), unequal: count('unequal'), why },
    firstTokenMsP99: p99(good.map(({ firstTokenMs }) => firstTokenMs)),
    longestGapMsP99: p99(gaps),
    longestGapMs: Math.round(Math.max(0, ...gaps)),
  };
}

/** Whether no client noticed anything, and nothing is left over. */
function isUnbroken(result: RunResult): boolean {
  const { failed, malformed, unequal, leftOver, resources } = result;
  const growsSockets = resources.some(({ before, after }) => after.sockets > before.sockets + 8);
  return failed + malformed + unequal === 0 && leftOver.length === 0 && !growsSockets;
}

function textOf(result: RunResult): string {
  const { front, version, streams: count, seconds, failed, malformed, unequal } = result;
  const rows = [
    ['front', `${front} ${version}`],
    ['streams', `${count} in ${seconds} s`],
    ['failed / malformed / unequal', `${failed} / ${malformed} / ${unequal}`],
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
      `${before.rssMegabytes} → ${after.rssMegabytes} MB, ${before.sockets} → ${after.sockets} sockets`,
    ]),
    ...Object.entries(result.why).map(([reason, n]) => [`${n} ×`, reason]),
    ...result.leftOver.map((what) => ['left over', what]),
  ];
  return rows.map(([name = '', value]) => `${name.padEnd(36)} ${value}`).join('\n');
}

async function writeTable(answers: readonly Answer[]): Promise<void> {
  const columns: { readonly name: string; readonly front: string; readonly clone: string }[] = [];
  if (flags.against) columns.push({ name: 'before', front: 'spillway', clone: flags.against });
  columns.push({ name: 'spillway', front: 'spillway', clone: flags.clone });
  columns.push({ name: 'nginx', front: 'nginx', clone: flags.clone });
  if (flags['peer-programs'] !== '') {
    for (const name of ['vllm-router', 'sglang-router']) {
      columns.push({ name, front: name, clone: flags.clone });
    }
  }
  const rows: { readonly fault: string; readonly results: readonly RunResult[] }[] = [];
  for (const fault of flags.fault.split(',')) {
    const results: RunResult[] = [];
    for (const { front, clone } of columns) {
      results.push(await run(front, clone, [fault], answers));
      say(textOf(results.at(-1) as RunResult));
    }
    rows.push({ fault, results });
  }
  const [{ model = 'unknown' } = {}] = cpus();
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const first = rows[0]?.results ?? [];
  const heads = columns.map(({ name }, i) => `${name} (${first[i]?.version})`);
  const cell = ({ failed, malformed, unequal, seconds }: RunResult) =>
    `${failed + malformed + unequal} (${seconds} s)`;
  const table = [
    line(['fault', ...heads]),
    line(['---', ...heads.map(() => '--:')]),
    ...rows.map(({ fault, results }) => line([fault, ...results.map(cell)])),
  ];
  const page = `# Streams while engines fail

    node bench/chaos.ts --table --against CLONE --peer-programs FOLDER --streams ${streams} --every ${flags.every} --seconds ${flags.seconds}

${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${availableParallelism()} × ${model}; the machine had other work (load ${loadavg()[0]?.toFixed(0)} at the
end). ${engines.length} embedded engines (${modelName}, H100, one process each), ${flags['at-once']} streams at once of 40 to 205 tokens, ${streams} streams per
cell. Every ${flags.every} s one engine fails for up to ${flags.seconds} s. Streams that did not end as the unbroken one, and the
duration of the run. Ours: ${flags.routers} routers that share their attempts; the others: one process, with the retries that they
have.

${table.join('\n')}
`;
  writeFileSync(join(import.meta.dirname, '../docs/results/chaos.md'), page);
  console.log(page);
  if (flags.json) console.log(JSON.stringify(rows));
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
