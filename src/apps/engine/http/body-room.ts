// Memory for request bodies that arrive, of all clients and engines of the process, and how slowly they may.
import type { IncomingMessage } from 'node:http';
import { ApiError } from '../../../core/api/index.ts';

/** Maximum size of a body in bytes; a longer one is refused while it arrives. */
const bodyBytesMax = 64 * 1024 * 1024;

/** Bodies of all clients that have not been parsed, in bytes. */
const allBytesMax = 512 * 1024 * 1024;

/** Counted for each piece of a body beside its bytes, so that bodies in tiny chunks count as what they take. */
const pieceBytes = 256;

/** A body that has less than `rateBytes` in each period of `rateMs` is refused; the router has the same bound. */
const rateMs = 20_000;
const rateBytes = 4_800;

/** A body without progress for this long makes room for others. */
const stalledMs = 2_000;

/** Time for which what still comes of a refused body is discarded, so that its client can read why; then the connection is closed. */
const lingerMs = 2_000;

/** A body that is arriving. */
interface Arriving {
  bytes: number;
  lastMs: number;
  /** Start of the current period, and bytes since. */
  periodMs: number;
  periodBytes: number;
  readonly refuse: (error: ApiError) => void;
}

export interface BodyRoomOptions {
  readonly allBytesMax?: number;
  readonly rateMs?: number;
  readonly lingerMs?: number;
}

/** A body, and how to give back its room once it is parsed. */
export interface HeldBody {
  readonly bytes: Buffer;
  readonly giveBack: () => void;
}

export class BodyRoom {
  readonly #allBytesMax: number;
  readonly #rateMs: number;
  readonly #lingerMs: number;
  readonly #arriving = new Set<Arriving>();
  #bytes = 0;
  #clock: NodeJS.Timeout | undefined;

  constructor(options: BodyRoomOptions = {}) {
    this.#allBytesMax = options.allBytesMax ?? allBytesMax;
    this.#rateMs = options.rateMs ?? rateMs;
    this.#lingerMs = options.lingerMs ?? lingerMs;
  }

  /** Bytes of all bodies. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Reads by events: the stream's iterator costs a tenth of a short request.
   *
   * @throws {ApiError} 413 if it is too long, 408 if it comes too slowly, 503 if there is no room.
   */
  read(request: IncomingMessage): Promise<HeldBody> {
    const parts: Buffer[] = [];
    let length = 0;
    return new Promise((resolve, reject) => {
      const take = (part: Buffer): void => {
        length += part.length;
        if (length > bodyBytesMax) {
          body.refuse(
            new ApiError(413, 'Request Entity Too Large', 'The request body is too large.'),
          );
          return;
        }
        parts.push(part);
        this.#count(body, part.length);
      };
      const end = (): void => {
        request.off('data', take);
        this.#leave(body);
      };
      const nowMs = performance.now();
      const body: Arriving = {
        ...{ bytes: 0, lastMs: nowMs, periodMs: nowMs, periodBytes: 0 },
        refuse: (error) => {
          end();
          parts.length = 0;
          this.#giveBack(body);
          this.#linger(request);
          reject(error);
        },
      };
      this.#arriving.add(body);
      this.#clock ??= setInterval(() => this.#refuseSlow(), this.#rateMs / 8).unref();
      request.on('data', take);
      request.on('end', () => {
        if (!this.#arriving.has(body)) return;
        end();
        resolve({ bytes: Buffer.concat(parts), giveBack: () => this.#giveBack(body) });
      });
      request.on('error', (error) => {
        end();
        this.#giveBack(body);
        reject(error);
      });
    });
  }

  #count(body: Arriving, bytes: number): void {
    const nowMs = performance.now();
    body.lastMs = nowMs;
    body.periodBytes += bytes;
    body.bytes += bytes + pieceBytes;
    this.#bytes += bytes + pieceBytes;
    while (this.#bytes > this.#allBytesMax && this.#makesRoom(nowMs));
  }

  /** Refuses the body that has stalled longest, or else the largest. @returns False if none has any bytes. */
  #makesRoom(nowMs: number): boolean {
    const bodies = [...this.#arriving].filter(({ bytes }) => bytes > 0);
    if (bodies.length === 0) return false;
    const oldest = bodies.reduce((a, b) => (b.lastMs < a.lastMs ? b : a));
    const largest = bodies.reduce((a, b) => (b.bytes > a.bytes ? b : a));
    (nowMs - oldest.lastMs > stalledMs ? oldest : largest).refuse(
      new ApiError(
        503,
        'Service Unavailable',
        `The bodies of all requests to this engine together may have ${this.#allBytesMax} bytes, and this one had stalled or was the largest. Try again later, or send a smaller one.`,
      ),
    );
    return true;
  }

  #refuseSlow(): void {
    const nowMs = performance.now();
    for (const body of this.#arriving) {
      if (nowMs - body.periodMs < this.#rateMs) continue;
      if (body.periodBytes >= rateBytes) {
        body.periodMs = nowMs;
        body.periodBytes = 0;
        continue;
      }
      body.refuse(
        new ApiError(
          408,
          'Request Timeout',
          `The request body had ${body.periodBytes} bytes in ${this.#rateMs / 1000} s; this engine needs ${rateBytes}, or the end of the body. Send it faster.`,
        ),
      );
    }
  }

  #leave(body: Arriving): void {
    this.#arriving.delete(body);
    if (this.#arriving.size > 0) return;
    clearInterval(this.#clock);
    this.#clock = undefined;
  }

  #giveBack(body: Arriving): void {
    this.#bytes -= body.bytes;
    body.bytes = 0;
  }

  #linger(request: IncomingMessage): void {
    request.resume();
    setTimeout(() => {
      if (!request.complete) request.socket.destroy();
    }, this.#lingerMs).unref();
  }
}

/** Of all engines in this process. */
export const bodyRoom = new BodyRoom();
