// Writes lines to a stream that may be slower than we are, or gone.

/** Bytes that may wait for a slow reader; further lines are dropped and counted. */
const pendingBytesMax = 1 << 20;

export class LineWriter {
  readonly #stream: NodeJS.WritableStream & { readonly writableLength: number };
  #droppedLines = 0;
  #isGone = false;

  constructor(stream: NodeJS.WritableStream & { readonly writableLength: number }) {
    this.#stream = stream;
    // A terminal that was closed (EIO) or a pipe that was (EPIPE): nobody reads any more.
    stream.on('error', () => {
      this.#isGone = true;
    });
  }

  line(text: string): void {
    if (this.#isGone) return;
    if (this.#stream.writableLength > pendingBytesMax) {
      this.#droppedLines += 1;
      return;
    }
    if (this.#droppedLines > 0) this.#stream.write(`[${this.#droppedLines} lines dropped]\n`);
    this.#droppedLines = 0;
    this.#stream.write(`${text}\n`);
  }
}
