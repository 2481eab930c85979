// An engine's report on /metrics, summed over its data-parallel ranks.

/** Figures of vLLM's /metrics that a router uses; undefined if the engine does not report them. */
export interface EngineReport {
  readonly running: number | undefined;
  readonly waiting: number | undefined;
  /** KV blocks in use, in [0, 1]; the mean over ranks. */
  readonly kvUsage: number | undefined;
  /** Tokens looked up in the prefix cache, and tokens found. */
  readonly prefixCacheQueries: number | undefined;
  readonly prefixCacheHits: number | undefined;
  readonly preemptions: number | undefined;
  readonly promptTokens: number | undefined;
  readonly generationTokens: number | undefined;
  readonly blocksTotal: number | undefined;
  readonly blockTokens: number | undefined;
  /** Unix time at which the process started. */
  readonly startedAtSeconds: number | undefined;
  /** Whether it sleeps (`/sleep`): it then accepts requests, and does not answer them. */
  readonly isAsleep?: boolean | undefined;
}

/** Metric name to field, including the names of older engines. */
const fieldOfMetric: Readonly<Record<string, string>> = {
  'vllm:num_requests_running': 'running',
  'vllm:num_requests_waiting': 'waiting',
  'vllm:kv_cache_usage_perc': 'kvUsage',
  'vllm:gpu_cache_usage_perc': 'kvUsage',
  'vllm:prefix_cache_queries_total': 'prefixCacheQueries',
  'vllm:gpu_prefix_cache_queries_total': 'prefixCacheQueries',
  'vllm:prefix_cache_hits_total': 'prefixCacheHits',
  'vllm:gpu_prefix_cache_hits_total': 'prefixCacheHits',
  'vllm:num_preemptions_total': 'preemptions',
  'vllm:prompt_tokens_total': 'promptTokens',
  'vllm:generation_tokens_total': 'generationTokens',
  process_start_time_seconds: 'startedAtSeconds',
};
const configMetric = 'vllm:cache_config_info';
const sleepMetric = 'vllm:engine_sleep_state';

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
  const sums = new Map<string, { sum: number; count: number }>();
  const add = (field: string, value: number) => {
    if (!Number.isFinite(value)) return;
    const entry = sums.get(field) ?? { sum: 0, count: 0 };
    entry.sum += value;
    entry.count++;
    sums.set(field, entry);
  };
  const seen = new Map<string, string>();
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    end = endOfLine(bytes, start);
    const name = wantedNameAt(bytes, start);
    if (name === undefined) continue;
    if (name === configMetric) {
      const line = textDecoder.decode(bytes.subarray(start, Math.min(end, start + lineBytesMax)));
      add('blocksTotal', Number(/num_gpu_blocks="(\d+)"/.exec(line)?.[1]));
      add('blockTokens', Number(/[{,]block_size="(\d+)"/.exec(line)?.[1]));
      continue;
    }
    if (name === sleepMetric) {
      const line = textDecoder.decode(bytes.subarray(start, Math.min(end, start + lineBytesMax)));
      if (line.includes('sleep_state="awake"'))
        add('awake', sampleAt(bytes, start + name.length, end));
      continue;
    }
    const field = fieldOfMetric[name] as string;
    // An engine with both the old and the new name of a metric is counted once.
    if ((seen.get(field) ?? name) !== name) continue;
    seen.set(field, name);
    add(field, sampleAt(bytes, start + name.length, end));
  }
  const sum = (field: string) => sums.get(field)?.sum;
  const mean = (field: string) => {
    const entry = sums.get(field);
    return entry && entry.sum / entry.count;
  };
  return {
    running: sum('running'),
    waiting: sum('waiting'),
    kvUsage: mean('kvUsage'),
    prefixCacheQueries: sum('prefixCacheQueries'),
    prefixCacheHits: sum('prefixCacheHits'),
    preemptions: sum('preemptions'),
    promptTokens: sum('promptTokens'),
    generationTokens: sum('generationTokens'),
    blocksTotal: sum('blocksTotal'),
    blockTokens: mean('blockTokens'),
    startedAtSeconds: mean('startedAtSeconds'),
    ...(sums.has('awake') && { isAsleep: sum('awake') === 0 }),
  };
}

const textDecoder = new TextDecoder();
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
for (const name of [...Object.keys(fieldOfMetric), configMetric, sleepMetric]) {
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
  let text = '';
  for (; at < end && bytes[at] !== space && text.length < valueLengthMax; at++) {
    text += String.fromCharCode(bytes[at] as number);
  }
  return text === '' ? Number.NaN : Number(text);
}
