// Finds stop strings in growing text and holds back possible starts of one, like vLLM's
// detokenizer.

/** The text of one response; `take` returns the part that can be sent. */
export class StopChecker {
  readonly #stops: readonly string[];
  readonly #includesStop: boolean;
  /** Number of characters that could be the start of a stop string. */
  readonly #heldBack: number;
  /** Text not sent yet; all but `#heldBack` characters of it can be sent. */
  #pending = '';
  /** The end of the sent text, in which a stop string may start. */
  #sentTail = '';

  constructor(stops: readonly string[], includesStop: boolean) {
    this.#stops = stops;
    this.#includesStop = includesStop;
    this.#heldBack = includesStop ? 0 : Math.max(0, ...stops.map(({ length }) => length - 1));
  }

  /** @param checks False below `min_tokens`: stop strings count as text. */
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

  /**
   * Returns the text that can be sent now. @param isEnd Whether the text is complete, so that
   * nothing is held back.
   */
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
