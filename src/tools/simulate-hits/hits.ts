// `spillway simulate hits`: the hits of a trace in prefix caches of several capacities.

import { InputError } from '../../core/base/index.ts';
import {
  checkEngineCount,
  type HitPolicy,
  type PrefixHits,
  prefixHits,
} from '../../core/simulation/index.ts';
import type { TimeUnit } from '../../core/traces/index.ts';
import { interruptible } from '../../io/signals/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import { textTable } from '../report/index.ts';

export interface HitsOptions {
  readonly trace: string;
  /** Unit of its timestamps. @default recognised */
  readonly traceUnit?: TimeUnit | undefined;
  /** Tokens per block id of the trace. @default recognised from the trace */
  readonly blockTokens?: number | undefined;
  /** Number of blocks in each engine's cache, one row each; Infinity for no limit. */
  readonly capacities: readonly number[];
  readonly engines: number;
  readonly policy: HitPolicy;
  /** Number of blocks in a tier below, per engine, each combined with each of `capacities`; empty for no tier. */
  readonly cpuCapacities?: readonly number[];
  /** Whether all engines share one tier as large as theirs together. */
  readonly pooled?: boolean;
}

export interface HitsRow extends PrefixHits {
  /** In blocks, per engine. */
  readonly capacity: number;
  /** In blocks, per engine; undefined without a tier below. */
  readonly cpuCapacity: number | undefined;
  readonly pooled: boolean;
  readonly engines: number;
  readonly policy: HitPolicy;
}

/** @throws {InputError} If the trace is invalid, or has no information about shared prefixes. */
export async function simulateHits(options: HitsOptions): Promise<HitsRow[]> {
  const { engines, policy, cpuCapacities = [], pooled = false } = options;
  checkEngineCount(engines);
  const trace = await loadTrace(options.trace, {
    ...{ blockTokens: options.blockTokens, timeUnit: options.traceUnit },
  });
  const { blockTokens, requests } = trace;
  if (trace.format !== 'blocks-jsonl') {
    throw new InputError(
      `${options.trace}: the trace has no block ids, so shared prefixes are unknown; simulate hits needs JSON lines with hash_ids.`,
    );
  }
  const tiers = cpuCapacities.length > 0 ? cpuCapacities : [undefined];
  const rowsOf = (capacity: number) =>
    tiers.map((cpuCapacity) => {
      const sizes = { blocksMax: capacity, cpuBlocksMax: cpuCapacity };
      return {
        ...{ capacity, cpuCapacity, pooled, engines, policy },
        ...prefixHits(requests, { ...sizes, blockTokens, engines, policy, pooled }),
      };
    });
  return interruptible(() => options.capacities.flatMap(rowsOf));
}

/** Returns one row as JSON; an unlimited capacity is the string "inf". */
export function hitsJson(row: HitsRow): Record<string, unknown> {
  const tier = row.cpuCapacity === undefined ? undefined : blocksOf(row.cpuCapacity);
  return {
    capacity: blocksOf(row.capacity),
    ...(tier === undefined ? {} : { cpu_capacity: tier, pooled: row.pooled }),
    engines: row.engines,
    policy: row.policy,
    block_hit: row.blockHit,
    token_hit: row.tokenHit,
    ...(tier === undefined
      ? {}
      : {
          device_token_hit: row.deviceTokenHit,
          cpu_token_hit: row.tokenHit - row.deviceTokenHit,
        }),
    max_over_mean_computed: row.spread,
  };
}

export function hitsTable(rows: readonly HitsRow[]): string {
  const hasTiers = rows.some(({ cpuCapacity }) => cpuCapacity !== undefined);
  const cells = rows.map((row) => [
    String(blocksOf(row.capacity)),
    ...(hasTiers ? [String(blocksOf(row.cpuCapacity ?? 0))] : []),
    row.blockHit.toFixed(4),
    row.tokenHit.toFixed(4),
    ...(hasTiers ? [(row.tokenHit - row.deviceTokenHit).toFixed(4)] : []),
    row.spread.toFixed(2),
  ]);
  const head = hasTiers
    ? ['blocks', 'cpu blocks', 'block hit', 'token hit', 'of it cpu', 'max/mean']
    : ['blocks', 'block hit', 'token hit', 'max/mean'];
  return `${textTable({ head, rows: cells }, { isLeft: () => false, widthsMin: [10] })}\n`;
}

function blocksOf(capacity: number): number | 'inf' {
  return Number.isFinite(capacity) ? capacity : 'inf';
}
