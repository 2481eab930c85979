// Measures how long simulations take: the conversation trace over 8 engines in growing parts, and
// growing fleets under growing traffic.
//
//   npm run bench:simulate-speed [-- --large]
//
// Each line is a separate process, so that it has its own memory. `--large` ends with a million
// requests over a thousand engines. Writes docs/results/simulate-speed.md.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fleetOf, simulateFleet, withSessions } from '../src/core/simulation/index.ts';
import { loadTrace } from '../src/io/traces/index.ts';

const trace = join(import.meta.dirname, 'data', 'mooncake-conversation.jsonl.gz');

interface Case {
  readonly engines: number;
  readonly requests: number;
  readonly speed: number;
}

interface Answer {
  /** CPU time of all threads, including the garbage collector and the compiler. */
  readonly simulationCpuSeconds: number;
  readonly cpuSeconds: number;
  readonly loadCpuSeconds: number;
  readonly megabytes: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Digest of all results, to check whether two runs agree to the last bit. */
  readonly digest: string;
}

const cases: Case[] = [
  ...[1500, 3000, 6000, 12_031].map((requests) => ({ engines: 8, requests, speed: 1 })),
  { engines: 32, requests: 48_124, speed: 4 },
  { engines: 128, requests: 192_496, speed: 16 },
  { engines: 1000, requests: 100_000, speed: 125 },
];
const large: Case = { engines: 1000, requests: 1_000_000, speed: 125 };

const [role, given] = process.argv.slice(2);
const isLarge = process.argv.includes('--large');
if (role === 'one') {
  console.log(JSON.stringify(await run(JSON.parse(given ?? '{}') as Case)));
} else {
  const all = isLarge ? [...cases, large] : cases;
  const rows = all.map((one) => {
    const child = spawnSync(
      process.execPath,
      ['--max-old-space-size=8192', import.meta.filename, 'one', JSON.stringify(one)],
      { encoding: 'utf8', timeout: 3_600_000 },
    );
    if (child.status !== 0) throw new Error(`${JSON.stringify(one)}: ${child.stderr}`);
    const answer = JSON.parse(child.stdout) as Answer;
    const row = rowOf(one, answer);
    console.log(row);
    return row;
  });
  writeFileSync(join(import.meta.dirname, '../docs/results/simulate-speed.md'), page(rows));
}

/** Repeats the trace with other conversations until there are enough requests. */
async function run({ engines, requests, speed }: Case): Promise<Answer> {
  const started = cpuSeconds();
  const { requests: once, blockTokens } = await loadTrace(trace);
  const span = (once.at(-1)?.arrivalSeconds ?? 0) + 1;
  const idsMax = once.reduce((most, { blockIds }) => Math.max(most, ...blockIds), 0) + 1;
  // Copies run concurrently, so the traffic is `speed` times that of the trace.
  const copies = Math.ceil(requests / once.length);
  const together = Math.min(copies, speed);
  const many = Array.from({ length: copies }, (_, copy) =>
    once.map((request) => ({
      ...request,
      arrivalSeconds: request.arrivalSeconds + span * Math.floor(copy / together),
      blockIds: copy === 0 ? request.blockIds : request.blockIds.map((id) => id + copy * idsMax),
    })),
  ).flat();
  const played = withSessions(
    many.sort((a, b) => a.arrivalSeconds - b.arrivalSeconds).slice(0, requests),
  );
  // The published times, and the digest for comparing runs, have this cost.
  const fleet = fleetOf({ engines, stepCost: 'roofline' });
  const loaded = cpuSeconds();
  const result = simulateFleet({
    ...{ requests: played, engines: fleet, policy: 'predictive', traceBlockTokens: blockTokens },
    seed: 1,
  });
  const simulated = cpuSeconds();
  const digest = createHash('sha256');
  for (const values of [result.ttftSeconds, result.e2eSeconds, result.engineOf])
    digest.update(values);
  return {
    simulationCpuSeconds: simulated - loaded,
    loadCpuSeconds: loaded - started,
    cpuSeconds: cpuSeconds(),
    megabytes: process.resourceUsage().maxRSS / 1024,
    promptTokens: played.reduce((sum, { promptTokens }) => sum + promptTokens, 0),
    outputTokens: played.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
    digest: digest.digest('hex').slice(0, 12),
  };
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function rowOf(one: Case, answer: Answer): string {
  const cells = [
    one.engines,
    one.requests,
    `${(answer.promptTokens / 1e6).toFixed(0)} M`,
    `${(answer.outputTokens / 1e6).toFixed(1)} M`,
    answer.loadCpuSeconds.toFixed(1),
    answer.simulationCpuSeconds.toFixed(1),
    ((answer.simulationCpuSeconds / one.requests) * 1e6).toFixed(0),
    answer.cpuSeconds.toFixed(1),
    answer.megabytes.toFixed(0),
    `\`${answer.digest}\``,
  ];
  return `| ${cells.join(' | ')} |`;
}

function page(rows: readonly string[]): string {
  const [{ model = 'unknown' } = {}] = cpus();
  return `# The speed of fleet simulation

    npm run bench:simulate-speed${isLarge ? ' -- --large' : ''}

${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} × ${model}, one thread; the machine had other
work at the same time (load ${loadavg()[0]?.toFixed(0)} at the end), so all times are CPU seconds of all threads, which contention for shared caches
still increases. Qwen3-8B on H100, policy predictive, the Mooncake conversation trace. Runs with more than 12,031
requests use copies of it with separate conversations, which arrive at the same time. Loading means reading the
trace and making the copies. The digest covers every TTFT, E2E and engine; an optimisation must not
change it.${isLarge ? '' : ' A million requests over a thousand engines (`-- --large`) were not simulated for this page.'}

| engines | requests | prompt tokens | output tokens | loading | simulation | µs per request | total | MB | digest |
|---|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}

The cost of the whole command, including start and report: [commands.md](commands.md).
`;
}
