// Room for the sequences of all requests and engines of the process: vLLM's queue has no end, but here it would take the memory of all.
import { ApiError } from '../../../core/api/index.ts';

/** Most sequences that wait, run, or belong to a response that is not complete: 2.3 kB each, 512 MiB in all. */
const sequencesMax = 14 * 16_384;

export class SequenceRoom {
  readonly #most: number;
  #held = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get held(): number {
    return this.#held;
  }

  /**
   * @returns Gives the room back; further calls do nothing.
   * @throws {ApiError} 503 if there is no room for so many.
   */
  take(count: number): () => void {
    if (this.#held + count > this.#most) {
      throw new ApiError(
        503,
        'Service Unavailable',
        `The request asks for ${count} responses, and all requests to this engine together may have ${this.#most}, of which ${this.#held} are taken. Try again later, or with a smaller n.`,
      );
    }
    this.#held += count;
    let isTaken = true;
    return () => {
      if (isTaken) this.#held -= count;
      isTaken = false;
    };
  }
}

/** Of all engines in this process. */
export const sequenceRoom = new SequenceRoom(sequencesMax);
