// The last lines of a terminal, drawn over in place, with what else is printed kept above them.

/** The part of a TTY stream that is used here. */
export interface TerminalStream {
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
}

const clearBelow = '\x1b[J';
const hideCursor = '\x1b[?25l';
const showCursor = '\x1b[?25h';

export class LiveRegion {
  readonly #stream: TerminalStream;
  /** Visible widths of the lines on the screen, to know how many rows they take after a resize. */
  #drawn: readonly number[] = [];

  constructor(stream: TerminalStream) {
    this.#stream = stream;
    stream.write(hideCursor);
  }

  get size(): { columns: number; rows: number } {
    return { columns: this.#stream.columns || 80, rows: this.#stream.rows || 24 };
  }

  /** Draws `lines` in place of those drawn before. */
  draw(lines: readonly string[]): void {
    // One write, so that no half-drawn picture shows.
    this.#stream.write(this.#rewind() + lines.map((line) => `${line}\n`).join(''));
    this.#drawn = lines.map(visibleWidth);
  }

  /** Prints lines that stay, above the region; the next `draw` brings the region back. */
  print(text: string): void {
    this.#stream.write(`${this.#rewind()}${text}\n`);
    this.#drawn = [];
  }

  /** Leaves the last picture on the screen and gives the cursor back. */
  end(): void {
    this.#stream.write(showCursor);
    this.#drawn = [];
  }

  /** Moves to where the region began. A terminal that was made narrower has wrapped its lines. */
  #rewind(): string {
    const { columns } = this.size;
    const rows = this.#drawn.reduce(
      (sum, width) => sum + Math.max(1, Math.ceil(width / columns)),
      0,
    );
    const up = rows === 0 ? '' : `\x1b[${rows}A`;
    return `\r${up}${clearBelow}`;
  }
}

function visibleWidth(line: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the codes to leave out
  return line.replace(/\x1b\[[0-9;]*m/g, '').length;
}
