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
}

export class Faults {
  readonly #random: Random;
  readonly #actions: FaultActions;
  #options: FaultOptions = {};
  #requests = 0;

  constructor(options: FaultOptions, random: Random, actions: FaultActions) {
    this.#random = random;
    this.#actions = actions;
    this.#options = options;
  }

  get options(): FaultOptions {
    return this.#options;
  }

  /** Replaces the active faults. Faults with an immediate effect take effect now. */
  set(options: FaultOptions): void {
    this.#options = options;
    this.#requests = 0;
    if (options.refuse) this.#actions.refuse(options.refuse.seconds);
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
    const { hangInStream, slowStream, cutStream } = this.#options;
    const hangs = hangInStream && this.#happens(hangInStream);
    const drags = slowStream && this.#happens(slowStream);
    const breaks = cutStream && this.#happens(cutStream);
    if (!hangs && !drags && !breaks) return undefined;
    return new StreamFault(exchange.response, {
      hang: hangs ? hangInStream : undefined,
      delayMs: drags ? slowStream.delayMs : undefined,
      cutAfterEvents: breaks ? cutStream.events : undefined,
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
