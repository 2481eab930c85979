// `spillway simulate hits`: what a prefix cache of each capacity would have found of a trace.
import { type HitPolicy, type PrefixHits, prefixHits } from '../../core/simulation/index.ts';
import { loadTrace } from '../../io/traces/index.ts';

export interface HitsOptions {
  readonly trace: string;
  /** Tokens of one block id of the trace; recognised unless given. */
  readonly blockTokens?: number | undefined;
  /** Blocks of each engine's cache, one row each; Infinity for all. */
  readonly capacities: readonly number[];
  readonly engines: number;
  readonly policy: HitPolicy;
}

export interface HitsRow extends PrefixHits {
  /** In blocks, per engine. */
  readonly capacity: number;
  readonly engines: number;
  readonly policy: HitPolicy;
}

/** @throws {InputError} If the trace is bad. */
export async function simulateHits(options: HitsOptions): Promise<HitsRow[]> {
  const { engines, policy } = options;
  const trace = await loadTrace(options.trace, { blockTokens: options.blockTokens });
  const { blockTokens, requests } = trace;
  return options.capacities.map((capacity) => ({
    ...{ capacity, engines, policy },
    ...prefixHits(requests, { blockTokens, blocksMax: capacity, engines, policy }),
  }));
}

/** One row as JSON; an unlimited capacity is the string "inf". */
export function hitsJson(row: HitsRow): Record<string, unknown> {
  return {
    capacity: Number.isFinite(row.capacity) ? row.capacity : 'inf',
    engines: row.engines,
    policy: row.policy,
    block_hit: row.blockHit,
    token_hit: row.tokenHit,
    max_over_mean_computed: row.spread,
  };
}

export function hitsTable(rows: readonly HitsRow[]): string {
  const cells = rows.map((row) => [
    String(hitsJson(row)['capacity']),
    row.blockHit.toFixed(4),
    row.tokenHit.toFixed(4),
    row.spread.toFixed(2),
  ]);
  const head = ['blocks', 'block hit', 'token hit', 'max/mean'];
  const line = (row: readonly string[]) => row.map((cell) => cell.padStart(10)).join('  ');
  return `${[head, ...cells].map(line).join('\n')}\n`;
}
