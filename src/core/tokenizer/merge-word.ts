// Merges the bytes of one word: the lowest rank first, the leftmost pair among equal ranks.
import type { MergeTable } from './merge-table.ts';

/** Minimum number of bytes for which the heap is faster than scanning all pairs per merge. */
const heapFromBytes = 48;

/** @returns Token ids of the word whose bytes have these ids. */
export function mergeWord(byteIds: readonly number[], merges: MergeTable): number[] {
  return byteIds.length < heapFromBytes
    ? mergeByScan([...byteIds], merges)
    : mergeByHeap(byteIds, merges);
}

/** Quadratic, but without set-up cost: best for ordinary words. Modifies `ids`. */
function mergeByScan(ids: number[], merges: MergeTable): number[] {
  const ranks: number[] = [];
  for (let i = 0; i + 1 < ids.length; i++) ranks.push(rankAt(ids, i, merges));
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    let at = -1;
    for (let i = 0; i < ranks.length; i++) {
      const rank = ranks[i] as number;
      if (rank < best) {
        best = rank;
        at = i;
      }
    }
    if (at === -1) return ids;
    ids[at] = merges.merged(best);
    ids.splice(at + 1, 1);
    ranks.splice(at, 1);
    if (at > 0) ranks[at - 1] = rankAt(ids, at - 1, merges);
    if (at < ranks.length) ranks[at] = rankAt(ids, at, merges);
  }
}

function rankAt(ids: readonly number[], at: number, merges: MergeTable): number {
  const rank = merges.rank(ids[at] as number, ids[at + 1] as number);
  return rank === -1 ? Number.POSITIVE_INFINITY : rank;
}

/** Takes n log n; scanning would take a second for a word of 10,000 letters. */
function mergeByHeap(byteIds: readonly number[], merges: MergeTable): number[] {
  const n = byteIds.length;
  const ids = Int32Array.from(byteIds);
  const next = Int32Array.from({ length: n }, (_, i) => (i + 1 < n ? i + 1 : -1));
  const previous = Int32Array.from({ length: n }, (_, i) => i - 1);
  /** Rank of the pair that starts here; -1 if there is none, or if this part has been merged. */
  const rankHere = new Int32Array(n).fill(-1);
  const heap = new RankHeap();
  const refresh = (at: number): void => {
    const following = next[at] as number;
    const rank = following === -1 ? -1 : merges.rank(ids[at] as number, ids[following] as number);
    rankHere[at] = rank;
    if (rank !== -1) heap.push(rank, at);
  };
  for (let i = 0; i < n; i++) refresh(i);
  while (heap.size > 0) {
    const { rank, at } = heap.pop();
    if (rankHere[at] !== rank) continue; // one of the two parts has been merged since
    const eaten = next[at] as number;
    ids[at] = merges.merged(rank);
    rankHere[eaten] = -1;
    const after = next[eaten] as number;
    next[at] = after;
    if (after !== -1) previous[after] = at;
    refresh(at);
    const before = previous[at] as number;
    if (before !== -1) refresh(before);
  }
  const merged: number[] = [];
  for (let at = 0; at !== -1; at = next[at] as number) merged.push(ids[at] as number);
  return merged;
}

/** A binary heap of (rank, position), ordered by rank, then by position. */
class RankHeap {
  // Both numbers in one: rank < 2^20 and position < 2^32 fit into the 53 bits of a double.
  readonly #keys: number[] = [];

  get size(): number {
    return this.#keys.length;
  }

  push(rank: number, at: number): void {
    const keys = this.#keys;
    const key = rank * 0x1_0000_0000 + at;
    let child = keys.length;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if ((keys[parent] as number) <= key) break;
      keys[child] = keys[parent] as number;
      child = parent;
    }
    keys[child] = key;
  }

  pop(): { rank: number; at: number } {
    const keys = this.#keys;
    const top = keys[0] as number;
    const last = keys.pop() as number;
    const n = keys.length;
    if (n > 0) {
      let parent = 0;
      for (;;) {
        let child = 2 * parent + 1;
        if (child >= n) break;
        if (child + 1 < n && (keys[child + 1] as number) < (keys[child] as number)) child++;
        if ((keys[child] as number) >= last) break;
        keys[parent] = keys[child] as number;
        parent = child;
      }
      keys[parent] = last;
    }
    return { rank: Math.floor(top / 0x1_0000_0000), at: top % 0x1_0000_0000 };
  }
}
