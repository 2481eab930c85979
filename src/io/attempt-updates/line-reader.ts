// Splits a stream of bytes into lines of bounded length.

import { UpdateSyntaxError } from './update-lines.ts';
import { lineBytesMax } from './update-protocol.ts';

const lineEnd = 0x0a;

export class LineReader {
  #rest = '';

  /**
   * Reads the next bytes; an incomplete line waits for the rest.
   *
   * @throws {UpdateSyntaxError} If a line is too long. Errors of `onLine` pass through.
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
  if (line.length > lineBytesMax) throw new UpdateSyntaxError(`a line over ${lineBytesMax} bytes`);
}
