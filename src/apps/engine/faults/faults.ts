// The active faults: draws them per request and applies them.
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../../../core/api/index.ts';
import type { Random } from '../../../core/base/index.ts';
import type { Exchange } from '../http/exchange.ts';
import type { FaultOptions } from './fault-options.ts';
import { StreamFault } from './stream-fault.ts';

export interface FaultActions {
  /** Closes the port temporarily. */
  readonly refuse: (seconds: number) => void;
  /** Ends the engine at once. */
  readonly crash: () => void;
  /** Sets the speed of the engine's steps; 1 is the full speed, 0 stops them. */
  readonly setSpeed: (speed: number) => void;
}

/** Timers count in 32-bit milliseconds. */
const timerMsMax = 2 ** 31 - 1;

export class Faults {
  readonly #random: Random;
  readonly #actions: FaultActions;
  #options: FaultOptions = {};
  #requests = 0;
  #speedTimer: NodeJS.Timeout | undefined;

  constructor(options: FaultOptions, random: Random, actions: FaultActions) {
    this.#random = random;
    this.#actions = actions;
    this.#options = options;
    this.#setSpeed();
  }

  get options(): FaultOptions {
    return this.#options;
  }

  /** Replaces the active faults. Faults with an immediate effect take effect now. */
  set(options: FaultOptions): void {
    this.#options = options;
    this.#requests = 0;
    this.#setSpeed();
    if (options.refuse) this.#actions.refuse(options.refuse.seconds);
  }

  /** Sets the speed that the faults prescribe; each holds for its time. */
  #setSpeed(): void {
    const { setSpeed } = this.#actions;
    const { wedge, slowEngine } = this.#options;
    clearTimeout(this.#speedTimer);
    setSpeed(wedge ? 0 : slowEngine ? 1 / slowEngine.factor : 1);
    const { seconds } = wedge ?? slowEngine ?? {};
    if (seconds === undefined) return;
    this.#speedTimer = setTimeout(() => setSpeed(1), Math.min(seconds * 1000, timerMsMax)).unref();
  }

  /**
   * Applies the faults to a generation request before its route handles it.
   *
   * @returns False if the connection is closed, so that no response can be sent.
   * @throws {ApiError} The error response that the fault injects.
   */
  async before(exchange: Exchange): Promise<boolean> {
    const { crash, reset, error, tooManyRequests, hangBeforeFirstByte } = this.#options;
    this.#requests++;
    if (crash && this.#requests >= crash.requests) {
      this.#actions.crash();
      return false;
    }
    if (reset && this.#happens(reset)) {
      exchange.request.socket.resetAndDestroy();
      return false;
    }
    if (tooManyRequests && this.#happens(tooManyRequests)) {
      exchange.response.setHeader('retry-after', `${tooManyRequests.retryAfterSeconds}`);
      throw new ApiError(429, 'Too Many Requests', 'Too many requests (injected fault).');
    }
    if (error && this.#happens(error)) {
      throw new ApiError(error.status, 'InternalServerError', 'Injected fault.');
    }
    if (hangBeforeFirstByte && this.#happens(hangBeforeFirstByte)) {
      await hang(exchange, hangBeforeFirstByte.seconds);
      if (exchange.response.destroyed) return false;
    }
    exchange.eventSink = this.#streamFault(exchange);
    return true;
  }

  #streamFault(exchange: Exchange): StreamFault | undefined {
    const { hangInStream, slowStream, cutStream, errorInStream } = this.#options;
    const hangs = hangInStream && this.#happens(hangInStream);
    const drags = slowStream && this.#happens(slowStream);
    const breaks = cutStream && this.#happens(cutStream);
    const errs = errorInStream && this.#happens(errorInStream);
    if (!hangs && !drags && !breaks && !errs) return undefined;
    return new StreamFault(exchange.response, {
      hang: hangs ? hangInStream : undefined,
      delayMs: drags ? slowStream.delayMs : undefined,
      cutAfterEvents: breaks ? cutStream.events : undefined,
      errorAfterEvents: errs ? errorInStream.events : undefined,
    });
  }

  #happens({ probability }: { readonly probability: number }): boolean {
    return this.#random.next() < probability;
  }
}

/** Waits, at most until the client disconnects. */
async function hang(exchange: Exchange, seconds: number): Promise<void> {
  const gone = new AbortController();
  exchange.response.once('close', () => gone.abort());
  try {
    await sleep(seconds * 1000, undefined, { signal: gone.signal });
  } catch {
    // The client has disconnected.
  }
}
