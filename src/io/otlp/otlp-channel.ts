// A connection to a collector, by one of OTLP's two transports.

/**
 * The collector's response to one request. `retry`: the request may be sent again. `failed`: it would fail again.
 */
export type SendResult =
  | { readonly kind: 'ok'; readonly response: Buffer }
  | { readonly kind: 'retry'; readonly why: string; readonly afterMs?: number | undefined }
  | { readonly kind: 'failed'; readonly why: string };

export interface OtlpChannel {
  /**
   * Sends one export request.
   *
   * @param signal Ends the wait; the result is then `retry`.
   */
  send(body: Uint8Array, signal: AbortSignal): Promise<SendResult>;
  /** Closes the connection. */
  close(): void;
}

/** Maximum size of a response that is read; a collector's has a hundred bytes. */
const responseBytesMax = 65_536;

/** Collects the parts of a response up to `responseBytesMax`; what exceeds it is dropped. */
export class ResponseBytes {
  readonly #parts: Buffer[] = [];
  #length = 0;

  add(part: Buffer): void {
    this.#length += part.length;
    if (this.#length <= responseBytesMax) this.#parts.push(part);
  }

  get all(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
