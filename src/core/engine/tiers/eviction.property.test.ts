// Compares both eviction policies with plain lists that do the same slowly.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Chunk } from './chunk-list.ts';
import { type EvictionPolicyName, evictionPolicies, evictionPolicy } from './eviction.ts';

/** Keys in lists, oldest first. ARC as in vllm/v1/kv_offload/cpu/policies/arc.py; LRU has one list. */
class ReferencePolicy {
  once: string[] = [];
  again: string[] = [];
  onceGhosts: string[] = [];
  againGhosts: string[] = [];
  target = 0;
  readonly #isArc: boolean;
  readonly #chunksMax: number;

  constructor(name: EvictionPolicyName, chunksMax: number) {
    this.#isArc = name === 'arc';
    this.#chunksMax = chunksMax;
  }

  get keys(): string[] {
    return [...this.once, ...this.again];
  }

  insert(key: string): void {
    this.once.push(key);
    this.onceGhosts = this.onceGhosts.filter((one) => one !== key);
    this.againGhosts = this.againGhosts.filter((one) => one !== key);
  }

  missed(keys: readonly string[]): void {
    for (const key of keys.toReversed()) {
      const [once, again] = [this.onceGhosts.length, this.againGhosts.length];
      if (this.onceGhosts.includes(key)) {
        this.target = Math.min(this.target + Math.max(1, again / once), this.#chunksMax);
        this.onceGhosts = [...this.onceGhosts.filter((one) => one !== key), key];
      } else if (this.againGhosts.includes(key)) {
        this.target = Math.max(this.target - Math.max(1, once / again), 0);
        this.againGhosts = [...this.againGhosts.filter((one) => one !== key), key];
      }
    }
  }

  used(key: string, isReused: boolean): void {
    const wasOnce = this.once.includes(key);
    if (!wasOnce && !this.again.includes(key)) return;
    this.once = this.once.filter((one) => one !== key);
    this.again = this.again.filter((one) => one !== key);
    const toAgain = this.#isArc && (isReused || !wasOnce);
    (toAgain ? this.again : this.once).push(key);
  }

  evict(count: number, isFree: (key: string) => boolean): string[] | undefined {
    const [once, again] = [this.once.filter(isFree), this.again.filter(isFree)];
    if (once.length + again.length < count) return undefined;
    const evicted: string[] = [];
    let onceSize = this.once.length;
    while (evicted.length < count) {
      const prefersOnce = onceSize >= Math.floor(this.target);
      const isOnce = prefersOnce ? once.length > 0 : again.length === 0;
      evicted.push((isOnce ? once : again).shift() as string);
      if (isOnce) onceSize--;
    }
    for (const key of evicted) {
      const ghosts = this.once.includes(key) ? this.onceGhosts : this.againGhosts;
      if (!ghosts.includes(key)) ghosts.push(key);
      this.once = this.once.filter((one) => one !== key);
      this.again = this.again.filter((one) => one !== key);
    }
    this.onceGhosts = this.onceGhosts.slice(-this.#chunksMax);
    this.againGhosts = this.againGhosts.slice(-this.#chunksMax);
    return evicted;
  }
}

const chunksMax = 8;
const key = fc.integer({ min: 0, max: 14 }).map(String);
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('store' as const),
      keys: fc.uniqueArray(key, { maxLength: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      keys: fc.uniqueArray(key, { maxLength: 4 }),
      isReused: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      keys: fc.uniqueArray(key, { maxLength: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('free' as const), keys: fc.constant([]) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('clear' as const), keys: fc.constant([]) }),
  },
);

for (const name of evictionPolicies) {
  test(`${name} evicts the same chunks as a plain list, whatever is stored, used and read`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const policy = evictionPolicy(name, chunksMax);
        const reference = new ReferencePolicy(name, chunksMax);
        const reading = new Set<string>();
        for (const { kind, keys, ...more } of steps) {
          if (kind === 'store') {
            const wanted = keys.filter((one) => policy.get(one) === undefined);
            policy.missed(wanted);
            if (name === 'arc') reference.missed(wanted);
            const tooMany = policy.size + wanted.length - chunksMax;
            if (tooMany > 0) {
              const isProtected = (one: unknown) => keys.includes(one as string);
              const evicted = policy.evict(tooMany, isProtected);
              const expected = reference.evict(
                tooMany,
                (one) => !reading.has(one) && !isProtected(one),
              );
              assert.deepEqual(
                evicted?.map((chunk) => chunk.key),
                expected,
              );
              if (evicted === undefined) continue;
            }
            for (const one of wanted) {
              const chunk = new Chunk(one);
              chunk.readers = 0;
              policy.insert(chunk);
              reference.insert(one);
            }
          } else if (kind === 'end') {
            const isReused = 'isReused' in more && more.isReused;
            policy.requestEnded(
              keys.map((one) => ({ key: one, onlyInserted: !isReused, reused: isReused })),
            );
            for (const one of keys.toReversed()) reference.used(one, isReused);
          } else if (kind === 'read') {
            for (const one of keys) {
              const chunk = policy.get(one);
              if (chunk === undefined || reading.has(one)) continue;
              chunk.readers = 1;
              reading.add(one);
            }
          } else if (kind === 'free') {
            for (const one of reading) {
              const chunk = policy.get(one);
              if (chunk) chunk.readers = 0;
            }
            reading.clear();
          } else {
            policy.clear();
            reading.clear();
            Object.assign(reference, new ReferencePolicy(name, chunksMax));
          }
          assert.equal(policy.size, reference.keys.length);
          for (const one of reference.keys) assert.equal(policy.get(one)?.key, one);
        }
      }),
      { numRuns: 400 },
    );
  });
}
