// Which engines hold which blocks, in each tier.
import type { ExpectedBlocks } from './expected-blocks.ts';
import { HolderTable } from './holder-table.ts';

/** Memory tier in which an engine keeps a block. */
export type KvTier = (typeof tiers)[number];

/** Tiers, fastest first. */
const tiers = ['GPU', 'CPU', 'STORAGE'] as const;

/** Connectors differ in case; engines older than the field mean the GPU. */
export function tierOf(medium: string | undefined): KvTier | undefined {
  const name = medium?.toUpperCase() ?? 'GPU';
  return tiers.find((tier) => tier === name);
}

/** The tables of all tiers; one of a tier is created when its first block comes. */
export class TierTables {
  readonly #blocksMax: number;
  readonly #tables = new Map<KvTier, HolderTable>();

  /** @param blocksMax Maximum number of different blocks per tier. */
  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
  }

  table(tier: KvTier): HolderTable {
    let table = this.#tables.get(tier);
    if (table === undefined) {
      table = new HolderTable(this.#blocksMax);
      this.#tables.set(tier, table);
    }
    return table;
  }

  /** Number of different blocks in a tier. */
  sizeOf(tier: KvTier): number {
    return this.#tables.get(tier)?.size ?? 0;
  }

  /** Memory of the tables. */
  get bytes(): number {
    let bytes = 0;
    for (const table of this.#tables.values()) bytes += table.bytes;
    return bytes;
  }

  /**
   * Leading blocks of a chain that each holder has in a tier or a faster one.
   *
   * @param holders Shape [n], without repetition; negative ones have no blocks.
   * @param expected Expected blocks, which count too.
   * @returns Shape [n], aligned with `holders`.
   */
  countPrefix(
    chain: Float64Array,
    holders: readonly number[],
    tier: KvTier,
    expected: ExpectedBlocks | undefined,
  ): Int32Array {
    const lower = tiers
      .slice(1, tiers.indexOf(tier) + 1)
      .filter((name) => this.sizeOf(name) > 0)
      .map((name) => this.table(name));
    if (expected !== undefined && expected.size > 0) lower.push(expected.table);
    return this.table('GPU').countPrefix(chain, holders, lower);
  }
}
