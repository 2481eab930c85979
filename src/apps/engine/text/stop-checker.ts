// Finds stop strings in growing text and holds back what may become one, as vLLM's detokenizer.

/** The text of one answer; `take` gives what may be sent. */
export class StopChecker {
  readonly #stops: readonly string[];
  readonly #includesStop: boolean;
  /** Text that could still be the beginning of a stop string. */
  readonly #heldBack: number;
  /** Not sent yet; all but `#heldBack` characters of it may be. */
  #pending = '';
  /** The end of what was sent, in which a stop string may begin. */
  #sentTail = '';

  constructor(stops: readonly string[], includesStop: boolean) {
    this.#stops = stops;
    this.#includesStop = includesStop;
    this.#heldBack = includesStop ? 0 : Math.max(0, ...stops.map(({ length }) => length - 1));
  }

  /** @param checks False while `min_tokens` is not reached: stop strings pass as text. */
  push(text: string, checks: boolean): string | undefined {
    this.#pending += text;
    if (!checks || this.#stops.length === 0 || text === '') return undefined;
    const searched = this.#sentTail + this.#pending;
    for (const stop of this.#stops) {
      const from = Math.max(0, searched.length - text.length - stop.length + 1);
      const at = searched.indexOf(stop, from);
      if (at === -1) continue;
      const end = this.#includesStop ? at + stop.length : at;
      this.#pending = searched.slice(this.#sentTail.length, Math.max(end, this.#sentTail.length));
      return stop;
    }
    return undefined;
  }

  /** What may be sent now. @param isEnd Nothing more comes: nothing is held back. */
  take(isEnd: boolean): string {
    const length = isEnd
      ? this.#pending.length
      : Math.max(0, this.#pending.length - this.#heldBack);
    if (length === 0) return '';
    const text = this.#pending.slice(0, length);
    this.#pending = this.#pending.slice(length);
    if (this.#stops.length > 0) {
      const kept = Math.max(...this.#stops.map((stop) => stop.length));
      this.#sentTail = (this.#sentTail + text).slice(-kept);
    }
    return text;
  }
}
