// docs/results/engine.md: the tables, each cell a median with minimum and maximum.
import { execFileSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { machine } from '../machine.ts';
import {
  type PacedJsonSample,
  type PacedSample,
  pacedJsonConnections,
  pacedJsonTokens,
  type RateSample,
  rateLoads,
  type SizeSample,
  type StartSample,
} from './measure.ts';

export interface EngineResult {
  readonly starts: readonly { readonly name: string; readonly samples: readonly StartSample[] }[];
  readonly sizes: readonly SizeSample[];
  readonly rates: readonly RateSample[];
  readonly paced: readonly PacedSample[];
  readonly pacedJson: readonly PacedJsonSample[];
  readonly command: string;
}

/** Omits sections without measurements. */
export function resultPage(result: EngineResult): string {
  const { starts, sizes, rates, paced, pacedJson, command } = result;
  return `${[
    '# Speed and size of the embedded engine',
    '',
    'One engine on one core, its client on another. Each cell is the median [least – most].',
    '',
    '```',
    command,
    '```',
    '',
    `Machine: ${machine()}, commit ${commit()}, ${new Date().toISOString().slice(0, 10)}; load average ${loadavg()[0]?.toFixed(1)} at the end.`,
    '',
    ...(starts.length > 0 ? startSection(starts) : []),
    ...(sizes.length > 0 ? sizeSection(sizes) : []),
    ...(rates.length > 0 ? rateSection(rates) : []),
    ...(paced.length > 0 ? pacedSection(paced) : []),
    ...(pacedJson.length > 0 ? pacedJsonSection(pacedJson) : []),
  ].join('\n')}`;
}

function startSection(starts: EngineResult['starts']): string[] {
  return [
    '## Start and memory of one engine',
    '',
    '| | ready, ms | first chat response, ms | CPU until ready, ms | resident, MB | of which not from files, MB |',
    '|---|---|---|---|---|---|',
    ...starts.map(startRow),
    '',
    'Ready: from the start of the process to 200 on /health, checked every 2 ms. Memory 1.5 s after that, idle.',
    'Pages from files (mostly the runtime itself) are shared by all its processes.',
    '',
  ];
}

function sizeSection(sizes: readonly SizeSample[]): string[] {
  return [
    '## Many in one process',
    '',
    '| engines | all ready, ms | resident, MB | per engine, MB | after a chat with each, MB | per engine, MB |',
    '|---|---|---|---|---|---|',
    ...sizes.map((size) => sizeRow(size, sizes[0] as SizeSample)),
    '',
    'Per engine: the memory of each engine after the first.',
    '',
  ];
}

function rateSection(rates: readonly RateSample[]): string[] {
  const subjects = subjectsOf(rates);
  return [
    '## Maximum speed: 64 requests in flight, step times of zero',
    '',
    `| load | ${subjects.map((name) => `${name}: requests/s | tokens/s | CPU µs per request`).join(' | ')} |${subjects.length > 1 ? ' CPU, peer / spillway |' : ''}`,
    `|---|${'---|---|---|'.repeat(subjects.length)}${subjects.length > 1 ? '---|' : ''}`,
    ...rateLoads.map(({ name }) => rateRow(name, subjects, rates)),
    '',
    ...errorLines(rates),
  ];
}

function pacedSection(paced: readonly PacedSample[]): string[] {
  return [
    '## Paced: 200 streams, a token every 20 ms each (10,000 per second)',
    '',
    '| | tokens/s | CPU, % of a core | 99th percentile between two reads, ms (20 are due) | behind its own clock, mean ms | most, ms |',
    '|---|---|---|---|---|---|',
    ...subjectsOf(paced).map((subject) => pacedRow(subject, paced)),
    '',
  ];
}

function pacedJsonSection(samples: readonly PacedJsonSample[]): string[] {
  return [
    '## Paced, plain JSON: 20 tokens per response, one every 20 ms',
    '',
    '| | requests in flight | due, requests/s | requests/s | tokens/s | CPU, % of a core | latency, median ms (400 are due) | 99th percentile, ms | behind its own clock, mean ms | most, ms |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...subjectsOf(samples).flatMap((subject) =>
      pacedJsonConnections.map((connections) => pacedJsonRow(subject, connections, samples)),
    ),
    '',
    'Due: the rate of the requests in flight if each response takes exactly its 20 steps. A request',
    'that arrives within a step waits for the next, 10 ms on average, so at most 97.5 % is possible.',
    '',
    ...errorLines(samples.map((one) => ({ ...one, load: `${one.connections} in flight` }))),
  ];
}

function pacedJsonRow(
  subject: string,
  connections: number,
  samples: readonly PacedJsonSample[],
): string {
  const own = samples.filter((one) => one.subject === subject && one.connections === connections);
  const cell = (read: (sample: PacedJsonSample) => number, digits = 0) =>
    spread(own.map(read), digits);
  return row([
    subject,
    `${connections}`,
    (own[0]?.dueRequestsPerSecond ?? Number.NaN).toFixed(0),
    cell(({ requestsPerSecond }) => requestsPerSecond),
    cell(({ requestsPerSecond }) => requestsPerSecond * pacedJsonTokens),
    cell(({ cpuPercent }) => cpuPercent),
    cell(({ p50Ms }) => p50Ms),
    cell(({ p99Ms }) => p99Ms),
    cell(({ lagMeanMs }) => lagMeanMs, 1),
    cell(({ lagMaxMs }) => lagMaxMs, 1),
  ]);
}

function subjectsOf(samples: readonly { readonly subject: string }[]): string[] {
  return [...new Set(samples.map(({ subject }) => subject))];
}

function commit(): string {
  return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
}

function startRow({ name, samples }: EngineResult['starts'][number]): string {
  const cell = (read: (sample: StartSample) => number) => spread(samples.map(read));
  return row([
    name,
    cell(({ readyMs }) => readyMs),
    cell(({ answeredMs }) => answeredMs),
    cell(({ cpuMs }) => cpuMs),
    cell(({ residentMb }) => residentMb),
    cell(({ anonymousMb }) => anonymousMb),
  ]);
}

function sizeRow(size: SizeSample, one: SizeSample): string {
  const per = (all: number, first: number) =>
    size.count === 1 ? '' : ((all - first) / (size.count - 1)).toFixed(2);
  return row([
    `${size.count}`,
    size.readyMs.toFixed(0),
    size.residentMb.toFixed(0),
    per(size.residentMb, one.residentMb),
    size.usedMb.toFixed(0),
    per(size.usedMb, one.usedMb),
  ]);
}

function rateRow(load: string, subjects: readonly string[], rates: readonly RateSample[]): string {
  const of = (subject: string) => rates.filter((r) => r.load === load && r.subject === subject);
  const cells = subjects.flatMap((subject) => [
    spread(of(subject).map(({ requestsPerSecond }) => requestsPerSecond)),
    spread(of(subject).map(({ tokensPerSecond }) => tokensPerSecond)),
    spread(of(subject).map(({ cpuMicrosecondsPerRequest }) => cpuMicrosecondsPerRequest)),
  ]);
  const [own, other] = subjects.map((subject) =>
    of(subject).map(({ cpuMicrosecondsPerRequest }) => cpuMicrosecondsPerRequest),
  );
  // Run by run: the n-th runs of both were consecutive.
  const ratios = own && other ? other.map((cost, i) => cost / (own[i] as number)) : [];
  return row([load, ...cells, ...(other ? [spread(ratios, 2)] : [])]);
}

function pacedRow(subject: string, paced: readonly PacedSample[]): string {
  const own = paced.filter((sample) => sample.subject === subject);
  const cell = (read: (sample: PacedSample) => number, digits = 0) => spread(own.map(read), digits);
  return row([
    subject,
    cell(({ tokensPerSecond }) => tokensPerSecond),
    cell(({ cpuPercent }) => cpuPercent),
    cell(({ gapP99Ms }) => gapP99Ms, 1),
    cell(({ lagMeanMs }) => lagMeanMs, 1),
    cell(({ lagMaxMs }) => lagMaxMs, 1),
  ]);
}

function errorLines(
  samples: readonly { readonly subject: string; readonly load: string; readonly errors: number }[],
): string[] {
  const failed = samples.filter(({ errors }) => errors > 0);
  if (failed.length === 0) return ['No request failed.', ''];
  return [
    ...failed.map(({ subject, load, errors }) => `- ${subject}, ${load}: ${errors} failed.`),
    '',
  ];
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** `median [least – most]`; a dash if nothing was measured. */
function spread(values: readonly number[], digits = 0): string {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return '–';
  const median = sorted[sorted.length >> 1] as number;
  const [least, most] = [sorted[0] as number, sorted.at(-1) as number];
  return `${median.toFixed(digits)} [${least.toFixed(digits)} – ${most.toFixed(digits)}]`;
}
