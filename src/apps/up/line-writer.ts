// Writes lines to a stream that may be slow or closed.
import { counted } from '../../core/base/index.ts';

/** Maximum bytes waiting for a slow reader; further lines are dropped and counted. */
const pendingBytesMax = 1 << 20;

export class LineWriter {
  readonly #stream: NodeJS.WritableStream & { readonly writableLength: number };
  #droppedLines = 0;
  #isGone = false;

  constructor(stream: NodeJS.WritableStream & { readonly writableLength: number }) {
    this.#stream = stream;
    // EIO is a closed terminal and EPIPE a closed pipe: there is no reader any more.
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
    if (this.#droppedLines > 0)
      this.#stream.write(`[${counted(this.#droppedLines, 'line')} dropped]\n`);
    this.#droppedLines = 0;
    this.#stream.write(`${text}\n`);
  }
}
