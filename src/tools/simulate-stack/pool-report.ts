// The report of a simulated stack with disaggregated prefill: each pool, and the KV cache that is transferred
// between them.
import { counted } from '../../core/base/index.ts';
import type { EngineRole } from '../../core/simulation/index.ts';
import { percentile } from '../../core/stats/index.ts';
import { lineChart, type Markup, percent, stackedBars } from '../report/index.ts';
import type { StackRun } from './stack.ts';
import type { StackPools } from './stack-pools.ts';

const giga = 1e9;

/** Engines of one role. */
export interface PoolReport {
  readonly role: EngineRole;
  readonly engines: number;
  readonly gpus: number;
  /** Mean share of the time up to the last arrival in which a step ran. */
  readonly utilization: number;
  /** Requests waiting in all its engines together, over time. */
  readonly meanWaiting: number;
  readonly maxWaiting: number;
  readonly meanKvUsage: number;
  /** Bytes transferred over its links, as a share of what they could carry during the run. */
  readonly linkUtilization: number;
  readonly preemptions: number;
}

export interface HandoffReport {
  readonly setup: StackPools;
  readonly pools: readonly PoolReport[];
  /** Prompts that a decode engine read. */
  readonly transfers: number;
  readonly bytes: number;
  /** Undefined if nothing was read. */
  readonly transferMs: Spread | undefined;
  /** Means of the parts of the TTFT, in order, over the requests whose prompt was read. */
  readonly ttftPartsMs: readonly { readonly name: string; readonly mean: number }[];
  readonly lost: number;
  readonly skipped: number;
}

interface Spread {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

/** Undefined where the same engines prefill and decode. */
export function handoffReport(run: StackRun): HandoffReport | undefined {
  const { pools, result } = run;
  const { handoffs } = result;
  if (pools === undefined || handoffs === undefined) return undefined;
  const { transferBytes, prefillSeconds, waitSeconds, transferSeconds } = handoffs;
  const { ttftSeconds } = result;
  const read = [...transferBytes.keys()].filter(
    (i) => (transferBytes[i] as number) >= 0 && (ttftSeconds[i] as number) >= 0,
  );
  const ofRead = (values: ArrayLike<number>) => read.map((i) => values[i] as number);
  const meanMs = (seconds: ArrayLike<number>) => mean(ofRead(seconds)) * 1000;
  const parts = [
    { name: 'prefill and its queue', mean: meanMs(prefillSeconds) },
    { name: 'way to decode and its queue', mean: meanMs(waitSeconds) },
    { name: 'transfer', mean: meanMs(transferSeconds) },
  ];
  const rest = meanMs(ttftSeconds) - total(parts.map((part) => part.mean));
  return {
    setup: pools,
    pools: (['prefill', 'decode'] as const).map((role) => poolReport(run, pools, role)),
    transfers: read.length,
    bytes: total(ofRead(transferBytes)),
    transferMs: spreadOf(ofRead(transferSeconds).map((seconds) => seconds * 1000)),
    ttftPartsMs: [...parts, { name: 'first step and way back', mean: rest }],
    lost: handoffs.lost,
    skipped: handoffs.skipped,
  };
}

function poolReport(
  { engines, result }: StackRun,
  pools: StackPools,
  role: EngineRole,
): PoolReport {
  /** Of a list with an item per engine, those of this role. */
  const own = <T>(items: readonly T[]) => items.filter((_, i) => pools.roles[i] === role);
  const results = own(result.engines);
  const waiting = result.series.map((sample) => total(own(sample.waiting)));
  const moved = results.map(({ tiers }) => (role === 'prefill' ? tiers?.stores : tiers?.loads));
  const bytesPerSecond = total(own(pools.links).map((link) => link.bytesPerSecond));
  return {
    ...{ role, engines: results.length },
    gpus: total(own(engines).map(({ tensorParallelSize }) => tensorParallelSize)),
    utilization: mean(results.map(({ utilization }) => utilization)),
    meanWaiting: mean(waiting),
    maxWaiting: Math.max(0, ...waiting),
    meanKvUsage: mean(result.series.map((sample) => mean(own(sample.kvUsage)))),
    linkUtilization: total(moved.map((one) => one?.bytes ?? 0)) / (bytesPerSecond * result.seconds),
    preemptions: total(results.map(({ preemptions }) => preemptions)),
  };
}

function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  const [p50, p90, p99] = [50, 90, 99].map((q) => percentile(sorted, q)) as [
    number,
    number,
    number,
  ];
  return { mean: mean(values), p50, p90, p99 };
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** 0 of no values. */
function mean(values: readonly number[]): number {
  return total(values) / Math.max(1, values.length);
}

export function handoffJson(run: StackRun): Record<string, unknown> | null {
  const report = handoffReport(run);
  if (report === undefined) return null;
  const { setup: pools, transferMs } = report;
  return {
    link: pools.link,
    link_gb_per_second: pools.gpuBytesPerSecond.map((rate) => rate / giga),
    link_latency_ms: pools.latencySeconds * 1000,
    prefill_policy: pools.prefillPolicy,
    decode_policy: pools.decodePolicy,
    kv_load_failure_policy: pools.loadFailure,
    pools: report.pools.map((pool) => ({
      pool: pool.role,
      engines: pool.engines,
      gpus: pool.gpus,
      utilization: pool.utilization,
      mean_waiting: pool.meanWaiting,
      max_waiting: pool.maxWaiting,
      mean_kv_usage: pool.meanKvUsage,
      link_utilization: pool.linkUtilization,
      preemptions: pool.preemptions,
    })),
    transfers: report.transfers,
    bytes: report.bytes,
    mean_transfer_ms: transferMs?.mean ?? null,
    p50_transfer_ms: transferMs?.p50 ?? null,
    p90_transfer_ms: transferMs?.p90 ?? null,
    p99_transfer_ms: transferMs?.p99 ?? null,
    mean_ttft_parts_ms: Object.fromEntries(
      report.ttftPartsMs.map(({ name, mean: part }) => [name.replaceAll(' ', '_'), part]),
    ),
    lost: report.lost,
    skipped: report.skipped,
  };
}

/** Empty where the same engines prefill and decode. */
export function handoffLines(run: StackRun): string[] {
  const report = handoffReport(run);
  if (report === undefined) return [];
  const { setup: pools, transferMs, ttftPartsMs, lost, skipped } = report;
  const rate = [...new Set(pools.gpuBytesPerSecond)].map((bytes) => (bytes / giga).toFixed(1));
  const lines = report.pools.map(
    ({ role, engines, gpus, ...pool }) =>
      `${role.padEnd(7)} ${counted(engines, 'engine')}, ${counted(gpus, 'GPU')}, ${role === 'prefill' ? pools.prefillPolicy : pools.decodePolicy}: busy ${percent(pool.utilization)}; waiting ${pool.meanWaiting.toFixed(1)} on average, ${pool.maxWaiting} at most; KV in use ${percent(pool.meanKvUsage)}; links ${percent(pool.linkUtilization)}`,
  );
  lines.push(
    `KV transferred: ${counted(report.transfers, 'prompt')}, ${gigabytes(report.bytes)} over ${pools.link} (${rate.join(', ')} GB/s per GPU)` +
      (transferMs
        ? `; transfer mean ${ms(transferMs.mean)}, p50 ${ms(transferMs.p50)}, p90 ${ms(transferMs.p90)}, p99 ${ms(transferMs.p99)} ms`
        : ''),
  );
  if (report.transfers > 0) {
    lines.push(
      `mean TTFT in ms: ${ttftPartsMs.map(({ name, mean: part }) => `${name} ${ms(part)}`).join(', ')}`,
    );
  }
  if (skipped > 0) {
    lines.push(
      `${counted(skipped, 'request')} had so few tokens to compute that decode engines prefilled them.`,
    );
  }
  if (lost > 0) {
    const became = pools.loadFailure === 'fail' ? 'failed' : 'were recomputed by decode engines';
    lines.push(
      `${counted(lost, 'prompt')} went down with the engine that stored them and ${became}.`,
    );
  }
  return lines;
}

function gigabytes(bytes: number): string {
  return `${(bytes / giga).toFixed(bytes < 10 * giga ? 2 : 1)} GB`;
}

function ms(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0);
}

/** Charts of the page; empty where the same engines prefill and decode. */
export function handoffCharts(run: StackRun): Markup[] {
  const report = handoffReport(run);
  if (report === undefined) return [];
  const waitingIn = (role: EngineRole) => ({
    name: role,
    isStepped: true,
    points: run.result.series.map(({ atSeconds, waiting }) => {
      const own = waiting.filter((_, i) => report.setup.roles[i] === role);
      return [atSeconds, total(own)] as const;
    }),
  });
  return [
    lineChart({
      title: 'Waiting requests, by pool',
      ...{ xLabel: 'seconds', yLabel: 'requests' },
      series: [waitingIn('prefill'), waitingIn('decode')],
    }),
    stackedBars({
      title: 'Mean TTFT of requests with a KV transfer',
      parts: report.ttftPartsMs.map(({ name }) => name),
      unit: 'ms',
      rows: [{ name: 'TTFT', values: report.ttftPartsMs.map(({ mean: part }) => part) }],
    }),
  ];
}
