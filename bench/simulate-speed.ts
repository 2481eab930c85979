// How long a fleet takes to simulate: the conversation trace over 8 engines, growing parts of it, and
// growing fleets under growing traffic.
//
//   npm run bench:simulate-speed [-- --large]
//
// Each line is a process of its own, so that its memory is its own too. `--large` ends with a
// million requests over a thousand engines. Writes docs/results/simulate-speed.md.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
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
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly loadSeconds: number;
  readonly megabytes: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Of all results, to tell whether two runs agree to the last bit. */
  readonly digest: string;
}

const cases: Case[] = [
  ...[1500, 3000, 6000, 12_031].map((requests) => ({ engines: 8, requests, speed: 1 })),
  { engines: 32, requests: 48_124, speed: 4 },
  { engines: 128, requests: 192_496, speed: 16 },
];
const large: Case = { engines: 1000, requests: 1_000_000, speed: 125 };

const [role, given] = process.argv.slice(2);
if (role === 'one') {
  console.log(JSON.stringify(await run(JSON.parse(given ?? '{}') as Case)));
} else {
  const all = process.argv.includes('--large') ? [...cases, large] : cases;
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

/** The trace, over and over with other conversations, until there are enough requests. */
async function run({ engines, requests, speed }: Case): Promise<Answer> {
  const started = performance.now();
  const { requests: once, blockTokens } = await loadTrace(trace);
  const span = (once.at(-1)?.arrivalSeconds ?? 0) + 1;
  const idsMax = once.reduce((most, { blockIds }) => Math.max(most, ...blockIds), 0) + 1;
  // Copies run side by side, so the traffic is as many times the trace's as `speed` says.
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
  const fleet = fleetOf({ engines });
  const loaded = performance.now();
  const result = simulateFleet({
    ...{ requests: played, engines: fleet, policy: 'predictive', traceBlockTokens: blockTokens },
    seed: 1,
  });
  const digest = createHash('sha256');
  for (const values of [result.ttftSeconds, result.e2eSeconds, result.engineOf])
    digest.update(values);
  return {
    seconds: (performance.now() - loaded) / 1000,
    loadSeconds: (loaded - started) / 1000,
    cpuSeconds: process.cpuUsage().user / 1e6,
    megabytes: process.resourceUsage().maxRSS / 1024,
    promptTokens: played.reduce((sum, { promptTokens }) => sum + promptTokens, 0),
    outputTokens: played.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
    digest: digest.digest('hex').slice(0, 12),
  };
}

function rowOf(one: Case, answer: Answer): string {
  const cells = [
    one.engines,
    one.requests,
    `${(answer.promptTokens / 1e6).toFixed(0)} M`,
    `${(answer.outputTokens / 1e6).toFixed(1)} M`,
    answer.loadSeconds.toFixed(1),
    answer.seconds.toFixed(1),
    ((answer.seconds / one.requests) * 1e6).toFixed(0),
    answer.cpuSeconds.toFixed(1),
    answer.megabytes.toFixed(0),
    `\`${answer.digest}\``,
  ];
  return `| ${cells.join(' | ')} |`;
}

function page(rows: readonly string[]): string {
  const [{ model = 'unknown' } = {}] = cpus();
  return `# How fast a fleet is simulated

    npm run bench:simulate-speed -- --large

${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} × ${model}, one thread; the machine did other
work at the same time, so CPU seconds say more than seconds. Qwen3-8B on H100, policy predictive, the
Mooncake conversation trace; more than 12,031 requests are copies of it with conversations of their
own, arriving together. Loading is reading the trace and making the copies. The digest is of every
TTFT, E2E and engine: an optimisation must leave it as it is.

| engines | requests | prompt tokens | output tokens | loading, s | simulation, s | µs a request | CPU s in all | MB | digest |
|---|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}
`;
}
