// The memory that a router may use for its streams: to remember what they have sent, and to hold events until they are whole.
import { MemoryBudget, type MemoryShare } from '../memory/index.ts';

/** Maximum memory of one transcript: prompt and response of about 300,000 tokens. */
const streamBytesMax = 2 * 1024 * 1024;
/** Maximum memory of all transcripts together. */
const allBytesMax = 128 * 1024 * 1024;
/** Maximum bytes of an event, whose first one has the ids of the prompt; streams with longer ones do not move. */
const eventBytesMax = 4 * 1024 * 1024;
/** Events up to this size are held whatever other streams hold: all of a token, with its log probabilities. */
const smallEventBytesMax = 32 * 1024;

/** What a router lends to its streams. */
export interface StreamShares {
  readonly transcripts: MemoryShare;
  readonly events: MemoryShare;
  /** Whether an event that is not small may take bytes. @default yes */
  readonly hasRoomForLarge?: ((bytes: number) => boolean) | undefined;
}

/** A stream that finds no room is not remembered, and ends with its engine. */
export class StreamMemory {
  readonly #streamBytesMax: number;
  readonly #allBytesMax: number;
  readonly #shares: StreamShares;

  constructor(
    limits: {
      readonly streamBytesMax?: number;
      readonly allBytesMax?: number;
      /** @default no bound but the others */
      readonly shares?: StreamShares | undefined;
    } = {},
  ) {
    const unbounded = new MemoryBudget(Number.POSITIVE_INFINITY);
    this.#shares = limits.shares ?? { transcripts: unbounded.share(1), events: unbounded.share(1) };
    this.#streamBytesMax = limits.streamBytesMax ?? streamBytesMax;
    this.#allBytesMax = limits.allBytesMax ?? allBytesMax;
  }

  /** Memory of transcripts, and of requests for the rest of a stream. */
  get bytes(): number {
    return this.#shares.transcripts.bytes;
  }

  /** Memory of events whose end has not arrived. */
  get eventBytes(): number {
    return this.#shares.events.bytes;
  }

  /**
   * @param from Memory of a transcript so far.
   * @param to Memory that it needs now.
   * @returns Whether it may use that much; if not, it keeps what it has.
   */
  resize(from: number, to: number): boolean {
    const { transcripts } = this.#shares;
    if (to <= from) {
      transcripts.give(from - to);
      return true;
    }
    const more = to - from;
    if (to > this.#streamBytesMax || this.bytes + more > this.#allBytesMax) return false;
    return transcripts.take(more);
  }

  /** As `resize`, for the request that continues a stream. */
  resizeRequest(from: number, to: number): boolean {
    const { transcripts } = this.#shares;
    if (to > from) return transcripts.take(to - from);
    transcripts.give(from - to);
    return true;
  }

  /** As `resize`, for an event whose end has not arrived. */
  resizeEvent(from: number, to: number): boolean {
    const { events, hasRoomForLarge } = this.#shares;
    if (to <= from) {
      events.give(from - to);
      return true;
    }
    if (to > eventBytesMax) return false;
    const more = to - from;
    if (to > smallEventBytesMax && hasRoomForLarge?.(more) === false) return false;
    return events.take(more);
  }

  /** Bytes of an event are held although there is no room. */
  forceEvent(bytes: number): void {
    this.#shares.events.force(bytes);
  }
}
