// What a tier outside this process said about chunks: asked for in real time, and used until it is old.
import { LruMap } from '../../../core/base/index.ts';
import type { BlockKey } from '../../../core/engine/index.ts';
import type { OutsideWork } from './outside-work.ts';

/** Chunks whose state outside is known; the least recently used one is asked for again. */
const answersMax = 65_536;
/** Time for which an answer holds after a request has used it: another engine may store or evict the chunk. */
const answerMs = 100;

export interface ChunkAnswersOptions {
  readonly outside: OutsideWork;
  /**
   * Looks up chunks in order, and loads those from `firstNeeded` on that are there. Must not throw.
   *
   * @returns For each chunk up to the first that is missing, whether it can be used.
   */
  readonly find: (keys: readonly BlockKey[], firstNeeded: number) => Promise<readonly boolean[]>;
  /** Called when it is known whether a chunk is there. */
  readonly onKnown?: ((key: BlockKey, isThere: boolean) => void) | undefined;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

interface Answer {
  isThere: boolean;
  /** Whether its bytes have come and were right. */
  isBrought: boolean;
  /** Whether a lookup has used it. */
  isUsed: boolean;
  readonly atMs: number;
}

export class ChunkAnswers {
  readonly #options: ChunkAnswersOptions;
  readonly #answers = new LruMap<BlockKey, Answer>({ entriesMax: answersMax });
  /** Chunks that are being asked for. */
  readonly #asked = new Set<BlockKey>();

  constructor(options: ChunkAnswersOptions) {
    this.#options = options;
  }

  /** See `LmcacheStore.prepare`. */
  prepare(keys: readonly BlockKey[], firstNeeded: number): boolean {
    const used: Answer[] = [];
    for (const [i, key] of keys.entries()) {
      if (this.#asked.has(key)) return false;
      const answer = this.#answers.get(key);
      const isNeeded = i >= firstNeeded;
      if (!this.#holds(answer) || (answer.isThere && isNeeded && !answer.isBrought)) {
        this.#ask(keys.slice(i), Math.max(0, firstNeeded - i));
        return false;
      }
      used.push(answer);
      if (!answer.isThere) break;
    }
    for (const answer of used) answer.isUsed = true;
    return true;
  }

  has(key: BlockKey): boolean {
    return this.#answers.peek(key)?.isThere ?? false;
  }

  /** Chunks have been read. What LMCache does not keep in host memory has to be loaded again by the next request. */
  spend(keys: readonly BlockKey[]): void {
    for (const key of keys) {
      const answer = this.#answers.peek(key);
      if (answer !== undefined) answer.isBrought = false;
    }
  }

  clear(): void {
    this.#answers.clear();
  }

  /** A fresh answer holds until a lookup has used it, so that a slow step does not ask again and again. */
  #holds(answer: Answer | undefined): answer is Answer {
    if (answer === undefined) return false;
    return !answer.isUsed || this.#options.nowMs() - answer.atMs < answerMs;
  }

  #ask(keys: readonly BlockKey[], firstNeeded: number): void {
    const { outside, find, onKnown, nowMs } = this.#options;
    for (const key of keys) this.#asked.add(key);
    outside.pending++;
    const startMs = nowMs();
    void find(keys, firstNeeded).then((states) => {
      outside.pending--;
      const atMs = nowMs();
      for (const [i, key] of keys.entries()) {
        this.#asked.delete(key);
        const isThere = states[i] ?? false;
        const isBrought = isThere && i >= firstNeeded;
        this.#answers.set(key, { isThere, isBrought, isUsed: false, atMs });
        onKnown?.(key, isThere);
      }
      outside.wake(atMs - startMs);
    });
  }
}
