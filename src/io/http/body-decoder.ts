// Decodes compressed request bodies (RFC 9110 §8.4.1) within the limits on bodies: zlib works in threads of its own, so
// that streams go on.
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from 'node:zlib';
import type { ServerExchange } from './server-exchange.ts';
import { HttpSyntaxError } from './syntax-error.ts';
import { hasWholeFrame } from './zstd-frame.ts';

export type ContentCoding = 'gzip' | 'deflate' | 'br' | 'zstd';

const codingOf: ReadonlyMap<string, ContentCoding> = new Map([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
  ['zstd', 'zstd'],
]);
/** For `Accept-Encoding` of a 415. */
export const acceptedCodings = 'gzip, deflate, br, zstd';
/** Codings of one body; each one is a pass over its bytes. */
const codingsMax = 2;
/** Decoders at work, of which each has up to 16 MiB of its own; other bodies wait, as bytes within the budget. */
const decodersMax = 4;
/** Frames of one zstd body. Compressors write one; several may follow each other (RFC 8878 §3). */
const zstdFramesMax = 64;
/** A body of repetitions may grow to this size, and beyond it by this factor; text of people grows by 3 to 10. */
const grownBytesMax = 4 * 1_048_576;
const growthMax = 256;
/** Of a decoder's output. */
const pieceBytes = 65_536;
/** 8 MiB: the largest window that RFC 9659 allows for content coding. */
const zstdWindowLog = 23;

/**
 * The codings of a body, in the order in which they were applied.
 *
 * @param contentEncoding The value of the header.
 * @throws {HttpSyntaxError} With status 415 if one of them is not known, or they are too many.
 * @example codingsOf('gzip, br'); // ['gzip', 'br']
 */
function codingsOf(contentEncoding: string): readonly ContentCoding[] {
  const names = contentEncoding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  const codings = names.map((name) => codingOf.get(name));
  if (codings.length <= codingsMax && codings.every((coding) => coding !== undefined)) {
    return codings;
  }
  const said = contentEncoding.length <= 100 ? ` "${contentEncoding}"` : '';
  throw new HttpSyntaxError(
    415,
    `The router cannot decode the Content-Encoding${said}: send gzip, deflate, br, zstd or identity, or two of them.`,
  );
}

/** Decodes bodies; at most `decodersMax` at once. */
export class BodyDecoder {
  #running = 0;
  readonly #waiting = new Set<() => void>();

  /**
   * Replaces the body of a request by the decoded one, whose bytes count in the memory for bodies. Ends early when the
   * client has gone.
   *
   * @throws {HttpSyntaxError} 400 for corrupt data, 413 and 503 as for bodies that arrive, 415 for another coding.
   */
  async decode(exchange: ServerExchange, contentEncoding: string): Promise<void> {
    const codings = codingsOf(contentEncoding);
    if (codings.length === 0 || exchange.body.length === 0) return;
    const sentBytes = exchange.body.length;
    const gone = new AbortController();
    exchange.listener = { onClientGone: () => gone.abort() };
    if (this.#running >= decodersMax) await this.#turn(gone.signal);
    this.#running++;
    try {
      for (const coding of codings.toReversed()) {
        if (exchange.over) return;
        exchange.body = await this.#decoded(exchange, { coding, sentBytes }, gone.signal);
      }
    } finally {
      this.#running--;
      exchange.listener = undefined;
      const [next] = this.#waiting;
      next?.();
    }
  }

  #turn(gone: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const begin = () => {
      this.#waiting.delete(begin);
      gone.removeEventListener('abort', begin);
      resolve();
    };
    this.#waiting.add(begin);
    gone.addEventListener('abort', begin);
    return promise;
  }

  async #decoded(
    exchange: ServerExchange,
    { coding, sentBytes }: { readonly coding: ContentCoding; readonly sentBytes: number },
    gone: AbortSignal,
  ): Promise<Buffer> {
    const { bodyBytesMax } = exchange;
    const pieces: Buffer[] = [];
    let length = 0;
    const add = (piece: Buffer) => {
      length += piece.length;
      if (length > bodyBytesMax) {
        const message = `The decoded request body is larger than ${bodyBytesMax} bytes.`;
        throw new HttpSyntaxError(413, message);
      }
      if (length > grownBytesMax && length > growthMax * sentBytes) {
        const message = `The decoded request body is more than ${growthMax} times as large as it was sent; send it without Content-Encoding.`;
        throw new HttpSyntaxError(413, message);
      }
      exchange.reserve(piece.length);
      pieces.push(piece);
    };
    let rest = exchange.body;
    for (let frames = 1; rest.length > 0 && !gone.aborted; frames++) {
      if (coding === 'zstd' && !hasWholeFrame(rest))
        throw corrupt(coding, 'unexpected end of file');
      const read = await decodeOnce(coding, rest, add, gone);
      rest = rest.subarray(read);
      const isOver = rest.length === 0 || gone.aborted;
      if (!isOver && (coding !== 'zstd' || read === 0 || frames === zstdFramesMax)) {
        throw corrupt(coding, 'bytes follow its end');
      }
    }
    return Buffer.concat(pieces, length);
  }
}

/** @returns The number of bytes that it read: less than all if others follow the end of the compressed data. */
function decodeOnce(
  coding: ContentCoding,
  bytes: Buffer,
  onPiece: (piece: Buffer) => void,
  gone: AbortSignal,
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const decoder = decoderOf(coding, bytes);
  const leave = () => {
    decoder.destroy();
    resolve(bytes.length);
  };
  decoder.on('data', (piece: Buffer) => {
    if (gone.aborted) return;
    try {
      onPiece(piece);
    } catch (error) {
      decoder.destroy();
      reject(error);
    }
  });
  decoder.on('end', () => resolve(decoder.bytesWritten));
  decoder.on('error', ({ message }) => reject(corrupt(coding, message)));
  gone.addEventListener('abort', leave);
  decoder.end(bytes);
  return promise.finally(() => gone.removeEventListener('abort', leave));
}

function decoderOf(coding: ContentCoding, bytes: Buffer) {
  const chunkSize = pieceBytes;
  switch (coding) {
    case 'gzip':
      return createGunzip({ chunkSize });
    case 'deflate':
      // The coding is that of zlib (RFC 9110 §8.4.1.2); some clients send its data without the header.
      return isZlib(bytes) ? createInflate({ chunkSize }) : createInflateRaw({ chunkSize });
    case 'br':
      return createBrotliDecompress({ chunkSize });
    case 'zstd':
      return createZstdDecompress({
        chunkSize,
        params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLog },
      });
  }
}

/** Whether the bytes begin with a header of zlib (RFC 1950 §2.2). */
function isZlib([first = 0, second = 0]: Buffer): boolean {
  return (first & 0x0f) === 8 && (first * 256 + second) % 31 === 0;
}

function corrupt(coding: ContentCoding, why: string): HttpSyntaxError {
  return new HttpSyntaxError(400, `The request body is not valid ${coding} data: ${why}.`);
}
