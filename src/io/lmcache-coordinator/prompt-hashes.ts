// The names of the chunks of long prompts, in turns of the event loop: a million tokens take a second.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { eachChunkHash } from '../../core/lmcache/index.ts';

/** Time of one turn. */
const turnMs = 10;

/** One prompt after the other: many at once would each take a turn. */
export class PromptHashes {
  #last: Promise<unknown> = Promise.resolve();

  /**
   * The hash of each whole chunk.
   *
   * @param isGone Whether the client has left.
   * @throws {Error} If it has: nothing is done for half of a prompt.
   */
  of(tokens: readonly number[], isGone: () => boolean): Promise<readonly string[]> {
    const hashes = this.#last.then(() => inTurns(tokens, isGone));
    this.#last = hashes.catch(() => undefined);
    return hashes;
  }
}

async function inTurns(tokens: readonly number[], isGone: () => boolean): Promise<string[]> {
  const hashes: string[] = [];
  if (isGone()) throw new Error('the client has gone');
  let beganMs = performance.now();
  for (const hash of eachChunkHash(tokens)) {
    hashes.push(hash);
    if (performance.now() - beganMs < turnMs) continue;
    await nextTurn();
    if (isGone()) throw new Error('the client has gone');
    beganMs = performance.now();
  }
  return hashes;
}
