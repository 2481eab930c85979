// The last lines of a terminal, redrawn in place; other output is kept above them.

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

  /** Replaces the lines drawn before with `lines`. */
  draw(lines: readonly string[]): void {
    // One write, so that no partial frame is visible.
    this.#stream.write(this.#rewind() + lines.map((line) => `${line}\n`).join(''));
    this.#drawn = lines.map(visibleWidth);
  }

  /** Prints permanent lines above the region; the next `draw` restores the region. */
  print(text: string): void {
    this.#stream.write(`${this.#rewind()}${text}\n`);
    this.#drawn = [];
  }

  /** Leaves the last frame on the screen and shows the cursor again. */
  end(): void {
    this.#stream.write(showCursor);
    this.#drawn = [];
  }

  /** Moves to the start of the region. A terminal that was made narrower has wrapped its lines. */
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
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the codes to ignore
  return line.replace(/\x1b\[[0-9;]*m/g, '').length;
}
