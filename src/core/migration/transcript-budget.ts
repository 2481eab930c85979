// The memory that a router may use to remember what its streams have sent.

/** Maximum memory of one stream: prompt and response of about 300,000 tokens. */
const streamBytesMax = 2 * 1024 * 1024;
/** Maximum memory of all streams together. */
const allBytesMax = 128 * 1024 * 1024;

/** A stream that finds no room is not remembered, and ends with its engine. */
export class TranscriptBudget {
  readonly #streamBytesMax: number;
  readonly #allBytesMax: number;
  #bytes = 0;

  constructor(limits: { readonly streamBytesMax?: number; readonly allBytesMax?: number } = {}) {
    this.#streamBytesMax = limits.streamBytesMax ?? streamBytesMax;
    this.#allBytesMax = limits.allBytesMax ?? allBytesMax;
  }

  /** Memory in use. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * @param from Memory of a stream so far.
   * @param to Memory that it needs now.
   * @returns Whether it may use that much; if not, it keeps what it has.
   */
  resize(from: number, to: number): boolean {
    const isAllowed =
      to <= from || (to <= this.#streamBytesMax && this.#bytes - from + to <= this.#allBytesMax);
    if (isAllowed) this.#bytes += to - from;
    return isAllowed;
  }
}
