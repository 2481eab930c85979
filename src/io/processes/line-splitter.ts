// Splits a child's output into lines; the length of a line is bounded.

/** Maximum length of a line; the rest is dropped and marked. A longer log line is a dump. */
export const lineCharactersMax = 8_192;

/** Calls back for each line of a stream of text chunks. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #rest = '';
  #isOverlong = false;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: string): void {
    let start = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', start)) {
      this.#append(chunk.slice(start, end));
      this.#emit();
      start = end + 1;
    }
    this.#append(chunk.slice(start));
  }

  /** Emits the rest that has no line end. */
  end(): void {
    if (this.#rest !== '') this.#emit();
  }

  #append(text: string): void {
    const room = lineCharactersMax - this.#rest.length;
    if (text.length > room) this.#isOverlong = true;
    this.#rest += text.slice(0, Math.max(0, room));
  }

  #emit(): void {
    const line = this.#rest.endsWith('\r') ? this.#rest.slice(0, -1) : this.#rest;
    const isOverlong = this.#isOverlong;
    this.#rest = '';
    this.#isOverlong = false;
    this.#onLine(isOverlong ? `${line} […]` : line);
  }
}
