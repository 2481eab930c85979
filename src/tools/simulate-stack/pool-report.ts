// What the report of a simulated stack says where prefill and decode are apart: each pool, and the KV
// that goes between them.
import type { EngineRole } from '../../core/simulation/index.ts';
import { percentile } from '../../core/stats/index.ts';
import { lineChart, percent, stackedBars } from '../simulate-report/index.ts';
import type { StackRun } from './stack.ts';

/** Engines of one role. */
export interface PoolReport {
  readonly role: EngineRole;
  readonly engines: number;
  readonly gpus: number;
  /** Mean of the share of the time, up to the last arrival, in which a step ran. */
  readonly utilization: number;
  /** Requests that wait in all its engines together: over time. */
  readonly meanWaiting: number;
  readonly maxWaiting: number;
  readonly meanKvUsage: number;
  /** Bytes that went over its links, of those that they could have carried in the whole run. */
  readonly linkUtilization: number;
  readonly preemptions: number;
}

export interface HandoffReport {
  readonly pools: readonly PoolReport[];
  /** Prompts that were read. */
  readonly transfers: number;
  readonly bytes: number;
  /** Undefined if nothing was read. */
  readonly transferMs: Spread | undefined;
  /** Means of the parts of the TTFT, over the requests whose prompt was read, in their order. */
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
  const read = [...handoffs.transferBytes.keys()].filter(
    (i) => (handoffs.transferBytes[i] as number) >= 0 && (result.ttftSeconds[i] as number) >= 0,
  );
  const meanOf = (of: (index: number) => number) =>
    read.reduce((sum, i) => sum + of(i), 0) / Math.max(1, read.length);
  const parts: readonly (readonly [string, (index: number) => number])[] = [
    ['prefill and its queue', (i) => handoffs.prefillSeconds[i] as number],
    ['way to decode and its queue', (i) => handoffs.waitSeconds[i] as number],
    ['transfer', (i) => handoffs.transferSeconds[i] as number],
  ];
  const named = parts.map(([name, of]) => ({ name, mean: meanOf(of) * 1000 }));
  const ttft = meanOf((i) => result.ttftSeconds[i] as number) * 1000;
  const rest = ttft - named.reduce((sum, { mean }) => sum + mean, 0);
  return {
    pools: (['prefill', 'decode'] as const).map((role) => poolReport(run, role)),
    transfers: read.length,
    bytes: read.reduce((sum, i) => sum + (handoffs.transferBytes[i] as number), 0),
    transferMs: spreadOf(read.map((i) => (handoffs.transferSeconds[i] as number) * 1000)),
    ttftPartsMs: [...named, { name: 'first step and way back', mean: rest }],
    lost: handoffs.lost,
    skipped: handoffs.skipped,
  };
}

function poolReport({ engines, result, pools }: StackRun, role: EngineRole): PoolReport {
  const own = [...engines.keys()].filter((i) => pools?.roles[i] === role);
  const sum = (of: (engine: number) => number) => own.reduce((total, i) => total + of(i), 0);
  const waiting = result.series.map((sample) => sum((i) => sample.waiting[i] ?? 0));
  const usage = result.series.map((sample) => sum((i) => sample.kvUsage[i] ?? 0) / own.length);
  const moved = sum((i) => {
    const { loads, stores } = result.engines[i]?.tiers ?? {};
    return (role === 'prefill' ? stores?.bytes : loads?.bytes) ?? 0;
  });
  const carried = sum((i) => pools?.links[i]?.bytesPerSecond ?? 0) * result.seconds;
  return {
    ...{ role, engines: own.length },
    gpus: sum((i) => engines[i]?.tensorParallelSize ?? 0),
    utilization: sum((i) => result.engines[i]?.utilization ?? 0) / own.length,
    meanWaiting: mean(waiting),
    maxWaiting: Math.max(0, ...waiting),
    meanKvUsage: mean(usage),
    linkUtilization: moved / carried,
    preemptions: sum((i) => result.engines[i]?.preemptions ?? 0),
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

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

export function handoffJson(run: StackRun): Record<string, unknown> | null {
  const report = handoffReport(run);
  const { pools } = run;
  if (report === undefined || pools === undefined) return null;
  const { transferMs } = report;
  return {
    link: pools.link,
    link_gb_per_second: pools.gpuBytesPerSecond.map((rate) => rate / 1e9),
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
const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(bytes < 1e10 ? 2 : 1)} GB`;

/** Empty where the same engines prefill and decode. */
export function handoffLines(run: StackRun): string[] {
  const report = handoffReport(run);
  const { pools } = run;
  if (report === undefined || pools === undefined) return [];
  const { transferMs, ttftPartsMs, lost, skipped } = report;
  const rate = [...new Set(pools.gpuBytesPerSecond)].map((bytes) => (bytes / 1e9).toFixed(1));
  const lines = report.pools.map(
    ({ role, engines, gpus, ...pool }) =>
      `${role.padEnd(7)} ${counted(engines, 'engine')}, ${counted(gpus, 'GPU')}, ${role === 'prefill' ? pools.prefillPolicy : pools.decodePolicy}: busy ${percent(pool.utilization)}; waiting ${pool.meanWaiting.toFixed(1)} on average, ${pool.maxWaiting} at most; KV in use ${percent(pool.meanKvUsage)}; links ${percent(pool.linkUtilization)}`,
  );
  lines.push(
    `KV handed over: ${counted(report.transfers, 'prompt')}, ${gigabytes(report.bytes)} over ${pools.link} (${rate.join(', ')} GB/s a GPU)` +
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
    lines.push(`${counted(skipped, 'request')} had so little to compute that decode did it all.`);
  }
  if (lost > 0) {
    const became = pools.loadFailure === 'fail' ? 'failed' : 'were computed anew by decode';
    lines.push(
      `${counted(lost, 'prompt')} went down with the engine that held them and ${became}.`,
    );
  }
  return lines;
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}

function ms(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0);
}

/** Pictures of the page; empty where the same engines prefill and decode. */
export function handoffCharts(run: StackRun): string[] {
  const report = handoffReport(run);
  const { pools, result } = run;
  if (report === undefined || pools === undefined) return [];
  const waitingIn = (role: EngineRole) => ({
    name: role,
    isStepped: true,
    points: result.series.map(
      ({ atSeconds, waiting }) =>
        [
          atSeconds,
          waiting.reduce((sum, n, i) => sum + (pools.roles[i] === role ? n : 0), 0),
        ] as const,
    ),
  });
  return [
    lineChart({
      title: 'Requests that wait, by pool',
      ...{ xLabel: 'seconds', yLabel: 'requests' },
      series: [waitingIn('prefill'), waitingIn('decode')],
    }),
    stackedBars({
      title: 'Mean TTFT of requests whose prompt was handed over',
      parts: report.ttftPartsMs.map(({ name }) => name),
      unit: 'ms',
      rows: [{ name: 'TTFT', values: report.ttftPartsMs.map(({ mean: part }) => part) }],
    }),
  ];
}
