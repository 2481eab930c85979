// Which servers keep which hash slots of Redis Cluster, and with them the keys.
import { ownersOf } from '../../core/cache/index.ts';
import { slotCount, slotOf } from '../../core/resp/index.ts';

/**
 * Slots that move together: cluster clients get a list of ranges, which should be short, and three servers should have
 * nearly equal shares (here ± 4 %).
 */
const slotsPerGroup = 16;

/** Neighbouring slots of the same servers. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
  /** The first one is the slot's master to cluster clients. */
  readonly owners: readonly string[];
}

export class SlotOwners {
  readonly members: readonly string[];
  readonly #copies: number;
  readonly #groups: (readonly string[] | undefined)[];

  constructor(members: readonly string[], copies: number) {
    this.members = members;
    this.#copies = copies;
    this.#groups = new Array(slotCount / slotsPerGroup);
  }

  /** @param key As clients know it. */
  ofKey(key: string): readonly string[] {
    return this.ofSlot(slotOf(key));
  }

  ofSlot(slot: number): readonly string[] {
    const group = Math.floor(slot / slotsPerGroup);
    let owners = this.#groups[group];
    if (owners === undefined) {
      owners = ownersOf(`slots ${group}`, this.members, this.#copies);
      this.#groups[group] = owners;
    }
    return owners;
  }

  get ranges(): readonly SlotRange[] {
    const ranges: SlotRange[] = [];
    for (let from = 0; from < slotCount; from += slotsPerGroup) {
      const owners = this.ofSlot(from);
      const to = from + slotsPerGroup - 1;
      const last = ranges.at(-1);
      if (last?.owners.join() === owners.join()) ranges[ranges.length - 1] = { ...last, to };
      else ranges.push({ from, to, owners });
    }
    return ranges;
  }
}

/** The servers that share keys, as cluster clients see them. */
export interface Cluster {
  readonly self: string;
  readonly slots: SlotOwners;
}
