// Finds the end of a response on a keep-alive connection.

/** Finds the end of an HTTP/1.1 response: from its length, or the last chunk. */
export class AnswerEnd {
  isOk = false;
  #head = '';
  #left: number | undefined;
  #tail = '';

  /** @returns Whether the response is complete. */
  push(bytes: Buffer): boolean {
    let body = bytes;
    if (this.#left === undefined && this.#tail === '') {
      this.#head += bytes.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end === -1) return false;
      this.isOk = this.#head.startsWith('HTTP/1.1 200');
      const length = /\r\ncontent-length: (\d+)/i.exec(this.#head.slice(0, end))?.[1];
      body = bytes.subarray(bytes.length - (this.#head.length - end - 4));
      if (length !== undefined) this.#left = Number(length);
      else this.#tail = '\r\n';
    }
    if (this.#left !== undefined) {
      this.#left -= body.length;
      return this.#left <= 0;
    }
    this.#tail = (this.#tail + body.toString('latin1', Math.max(0, body.length - 7))).slice(-7);
    return this.#tail === '\r\n0\r\n\r\n';
  }
}
