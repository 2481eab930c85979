// An engine's report on /metrics, summed over its data-parallel ranks.
import { decimalAt } from './decimal.ts';

/** Figures of vLLM's /metrics that a router uses; undefined if the engine does not report them. */
export interface EngineReport {
  readonly running: number | undefined;
  readonly waiting: number | undefined;
  /** KV blocks in use, in [0, 1]; the mean over ranks. */
  readonly kvUsage: number | undefined;
  /** Tokens looked up in the prefix cache, and tokens found. */
  readonly prefixCacheQueries: number | undefined;
  readonly prefixCacheHits: number | undefined;
  /** Tokens found in tiers below HBM: host memory, disk, other engines. */
  readonly lowerTierHits: number | undefined;
  /** Tokens looked up there. */
  readonly lowerTierQueries: number | undefined;
  readonly preemptions: number | undefined;
  readonly promptTokens: number | undefined;
  readonly generationTokens: number | undefined;
  readonly blocksTotal: number | undefined;
  readonly blockTokens: number | undefined;
  /** Unix time at which the process started. */
  readonly startedAtSeconds: number | undefined;
  /** Whether it sleeps (`/sleep`): it then accepts requests, and does not answer them. */
  readonly isAsleep: boolean | undefined;
}

const fields = [
  ...(['running', 'waiting', 'kvUsage', 'prefixCacheQueries', 'prefixCacheHits'] as const),
  ...(['lowerTierHits', 'lowerTierQueries'] as const),
  ...(['preemptions', 'promptTokens', 'generationTokens', 'startedAtSeconds'] as const),
  ...(['blocksTotal', 'blockTokens', 'awake'] as const),
] as const;
type Field = (typeof fields)[number];
const indexOfField = Object.fromEntries(fields.map((field, index) => [field, index])) as Readonly<
  Record<Field, number>
>;

/** Metric name to field, including the names of older engines. */
const fieldOfMetric: Readonly<Record<string, Field>> = {
  'vllm:num_requests_running': 'running',
  'vllm:num_requests_waiting': 'waiting',
  'vllm:kv_cache_usage_perc': 'kvUsage',
  'vllm:gpu_cache_usage_perc': 'kvUsage',
  'vllm:prefix_cache_queries_total': 'prefixCacheQueries',
  'vllm:gpu_prefix_cache_queries_total': 'prefixCacheQueries',
  'vllm:prefix_cache_hits_total': 'prefixCacheHits',
  'vllm:gpu_prefix_cache_hits_total': 'prefixCacheHits',
  'vllm:external_prefix_cache_hits_total': 'lowerTierHits',
  'vllm:external_prefix_cache_queries_total': 'lowerTierQueries',
  'vllm:num_preemptions_total': 'preemptions',
  'vllm:prompt_tokens_total': 'promptTokens',
  'vllm:generation_tokens_total': 'generationTokens',
  process_start_time_seconds: 'startedAtSeconds',
};
const configMetric = 'vllm:cache_config_info';
const sleepMetric = 'vllm:engine_sleep_state';
const metricNames = [...Object.keys(fieldOfMetric), configMetric, sleepMetric];

/** The query that asks Prometheus' client libraries for the metrics of a report only. */
export const engineReportQuery = metricNames.map((name) => `name%5B%5D=${name}`).join('&');

/**
 * Reads a page in the Prometheus text format, in time linear in its length. Only wanted lines become strings:
 * a router reads hundreds of pages a second, most of whose lines are buckets of histograms.
 *
 * @param page Text, or its bytes.
 * @example
 * parseEngineReport('vllm:num_requests_running{engine="0"} 3.0\n').running; // 3
 */
export function parseEngineReport(page: string | Uint8Array): EngineReport {
  const bytes = typeof page === 'string' ? new TextEncoder().encode(page) : page;
  sums.fill(0);
  counts.fill(0);
  names.fill(undefined);
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = endOfLine(bytes, start);
    const name = wantedNameAt(bytes, start);
    if (name === undefined) continue;
    if (name === configMetric) {
      add('blocksTotal', labelAt(bytes, start, end, blocksLabel));
      add('blockTokens', labelAt(bytes, start, end, blockSizeLabel));
    } else if (name === sleepMetric) {
      if (labelStart(bytes, start, end, awakeLabel) !== undefined)
        add('awake', sampleAt(bytes, start + name.length, end));
    } else {
      const field = fieldOfMetric[name] as Field;
      const index = indexOfField[field];
      // An engine with both the old and the new name of a metric is counted once.
      if ((names[index] ?? name) !== name) continue;
      names[index] = name;
      add(field, sampleAt(bytes, start + name.length, end));
    }
  }
  const awake = sum('awake');
  return {
    running: sum('running'),
    waiting: sum('waiting'),
    kvUsage: mean('kvUsage'),
    prefixCacheQueries: sum('prefixCacheQueries'),
    prefixCacheHits: sum('prefixCacheHits'),
    lowerTierHits: sum('lowerTierHits'),
    lowerTierQueries: sum('lowerTierQueries'),
    preemptions: sum('preemptions'),
    promptTokens: sum('promptTokens'),
    generationTokens: sum('generationTokens'),
    blocksTotal: sum('blocksTotal'),
    blockTokens: mean('blockTokens'),
    startedAtSeconds: mean('startedAtSeconds'),
    isAsleep: awake === undefined ? undefined : awake === 0,
  };
}

/** Whether two reports say the same. */
export function isSameReport(one: EngineReport, other: EngineReport): boolean {
  return (
    one.running === other.running &&
    one.waiting === other.waiting &&
    one.kvUsage === other.kvUsage &&
    one.prefixCacheQueries === other.prefixCacheQueries &&
    one.prefixCacheHits === other.prefixCacheHits &&
    one.lowerTierHits === other.lowerTierHits &&
    one.lowerTierQueries === other.lowerTierQueries &&
    one.preemptions === other.preemptions &&
    one.promptTokens === other.promptTokens &&
    one.generationTokens === other.generationTokens &&
    one.blocksTotal === other.blocksTotal &&
    one.blockTokens === other.blockTokens &&
    one.startedAtSeconds === other.startedAtSeconds &&
    one.isAsleep === other.isAsleep
  );
}

// Of the page being read, by `indexOfField`. Reading is synchronous, so one set serves all pages.
const sums = new Float64Array(fields.length);
const counts = new Uint32Array(fields.length);
/** The metric that a field is read from. */
const names = new Array<string | undefined>(fields.length);

/** Counts, shares and times: an engine that reports less than none would draw all requests. */
function add(field: Field, value: number): void {
  if (!Number.isFinite(value) || value < 0) return;
  const index = indexOfField[field];
  sums[index] = (sums[index] as number) + value;
  counts[index] = (counts[index] as number) + 1;
}

function sum(field: Field): number | undefined {
  const index = indexOfField[field];
  return counts[index] === 0 ? undefined : sums[index];
}

function mean(field: Field): number | undefined {
  const index = indexOfField[field];
  return counts[index] === 0 ? undefined : (sums[index] as number) / (counts[index] as number);
}

const textEncoder = new TextEncoder();
const blocksLabel = textEncoder.encode('num_gpu_blocks="');
const blockSizeLabel = textEncoder.encode('block_size="');
const awakeLabel = textEncoder.encode('sleep_state="awake"');
const quote = 34;
const comma = 44;

/** The number in a label of a line; NaN if there is none. The line is not decoded: it has 2 KB. */
function labelAt(bytes: Uint8Array, start: number, end: number, label: Uint8Array): number {
  const at = labelStart(bytes, start, end, label);
  if (at === undefined) return Number.NaN;
  let value = 0;
  let index = at + label.length;
  for (; index < end; index++) {
    const digit = (bytes[index] as number) - 48;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  return bytes[index] === quote && index > at + label.length ? value : Number.NaN;
}

/** Where a label of a line begins. @param label Its name, and what of its value must match. */
function labelStart(
  bytes: Uint8Array,
  start: number,
  end: number,
  label: Uint8Array,
): number | undefined {
  const last = Math.min(end, start + lineBytesMax) - label.length;
  for (let at = start + 1; at < last; at++) {
    const before = bytes[at - 1];
    const isLabel = before === openingBrace || before === comma;
    if (isLabel && startsWith(bytes, at, label)) return at;
  }
  return undefined;
}

/** The line of the configuration is shorter; of a longer one only so much is read. */
const lineBytesMax = 16_384;
/** Longer than any number. */
const valueLengthMax = 40;
const newline = 10;
const space = 32;
const openingBrace = 123;
const closingBrace = 125;

function endOfLine(bytes: Uint8Array, start: number): number {
  const end = bytes.indexOf(newline, start);
  return end < 0 ? bytes.length : end;
}

interface WantedName {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The two letters after `vllm:` tell most lines of a page apart. */
const keyOffset = 'vllm:'.length;
const namesOfKey = new Map<number, readonly WantedName[]>();
for (const name of metricNames) {
  const bytes = new TextEncoder().encode(name);
  const key = keyAt(bytes, 0);
  namesOfKey.set(key, [...(namesOfKey.get(key) ?? []), { name, bytes }]);
}

function keyAt(bytes: Uint8Array, start: number): number {
  return (bytes[start + keyOffset] ?? 0) * 256 + (bytes[start + keyOffset + 1] ?? 0);
}

/** The wanted metric whose sample starts here. */
function wantedNameAt(page: Uint8Array, start: number): string | undefined {
  const names = namesOfKey.get(keyAt(page, start));
  if (names === undefined) return undefined;
  for (const { name, bytes } of names) {
    const next = page[start + bytes.length];
    if ((next === openingBrace || next === space) && startsWith(page, start, bytes)) return name;
  }
  return undefined;
}

function startsWith(page: Uint8Array, start: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (page[start + i] !== bytes[i]) return false;
  return true;
}

/** The value of a sample, after its labels and before its timestamp; NaN if there is none. */
function sampleAt(bytes: Uint8Array, labelsAt: number, end: number): number {
  let at = end;
  while (at > labelsAt && bytes[at - 1] !== closingBrace) at--;
  while (at < end && bytes[at] === space) at++;
  const start = at;
  while (at < end && bytes[at] !== space && at - start < valueLengthMax) at++;
  return decimalAt(bytes, start, at);
}
