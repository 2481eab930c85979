// The flags that say how a benchmark is measured and reported, by the names of `vllm bench serve`.
import { type Command, InvalidArgumentError } from 'commander';
import { percentiles } from '../arguments/lists.ts';
import { nonNegativeInteger, positive, positiveInteger } from '../arguments/numbers.ts';
import { duration } from '../arguments/quantities.ts';

const latencies = ['ttft', 'tpot', 'itl', 'e2el'] as const;
/** Names that vLLM has for further latencies, which results here have as `spillway.since_due` and client lag. */
const furtherLatencies = ['client_queue_time', 'e2el_including_client_queue'];

/** Warm-up, limits and figures. */
export interface MeasurementFlags {
  readonly clients?: number | 'auto';
  readonly numWarmups: number;
  readonly readyCheckTimeoutSec: number;
  readonly timeout: number;
  readonly maxRefused: number;
  readonly timeScale: number;
  readonly goodput?: readonly string[];
  readonly metricPercentiles: readonly number[];
  readonly percentileMetrics: readonly string[];
}

/** Adds the number of client processes. */
export function addClientsFlag(command: Command): Command {
  return command
    .optionsGroup('Measurement:')
    .option(
      '--clients <n>',
      'number of client processes that divide the load; auto: one per 15,000 tokens/s of the rate',
      clientsOf,
      'auto',
    );
}

export function addMeasurementFlags(command: Command): Command {
  return command
    .optionsGroup('Measurement:')
    .option(
      '--num-warmups <n>',
      'number of short warm-up requests, which are not measured',
      nonNegativeInteger,
      1,
    )
    .option(
      '--ready-check-timeout-sec <n>',
      'wait this long for the server to list its models; 0 does not wait',
      nonNegativeInteger,
      0,
    )
    .option('--timeout <duration>', 'timeout of a request, wall-clock time', duration('s'), 600)
    .option(
      '--max-refused <n>',
      'stop after this many refused connections in a row, because the server is gone; 0 never stops',
      nonNegativeInteger,
      20,
    )
    .option(
      '--time-scale <x>',
      'GPU seconds per wall-clock second of embedded engines',
      positive,
      1,
    )
    .option(
      '--goodput <limit...>',
      'maximum latencies of a good response in milliseconds: ttft:200 tpot:50 e2el:2000',
    )
    .option(
      '--metric-percentiles <list>',
      'comma-separated percentiles of each latency',
      percentiles,
      [50, 90, 99],
    )
    .option(
      '--percentile-metrics <list>',
      'latencies of the JSON result: ttft, tpot, itl, e2el',
      latencyList,
      latencies,
    );
}

function clientsOf(text: string): number | 'auto' {
  return text === 'auto' ? text : positiveInteger(text);
}

function latencyList(text: string): readonly string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => !furtherLatencies.includes(name));
  if (names.every((name) => latencies.some((latency) => latency === name))) return names;
  throw new InvalidArgumentError(`It must be a list of ${latencies.join(', ')}.`);
}
