// Cuts a stream of bytes into lines of bounded length.

import { NewsSyntaxError } from './news-lines.ts';
import { lineBytesMax } from './news-protocol.ts';

const lineEnd = 0x0a;

export class LineReader {
  #rest = '';

  /**
   * Takes the next bytes; those of a line without its end wait for the rest.
   *
   * @throws {NewsSyntaxError} If a line is too long. What `onLine` throws comes through.
   */
  read(bytes: Buffer, onLine: (line: string) => void): void {
    let start = 0;
    for (let end = bytes.indexOf(lineEnd); end >= 0; end = bytes.indexOf(lineEnd, start)) {
      const line = this.#rest + bytes.toString('latin1', start, end);
      this.#rest = '';
      start = end + 1;
      checkLength(line);
      onLine(line);
    }
    this.#rest += bytes.toString('latin1', start);
    checkLength(this.#rest);
  }
}

function checkLength(line: string): void {
  if (line.length > lineBytesMax) throw new NewsSyntaxError(`a line over ${lineBytesMax} bytes`);
}
