// The serving end: publishes this router's attempts, as lines, to each listening router.
import type { AgedUpdate, AttemptUpdate } from '../../core/routing/index.ts';
import type { ServerExchange } from '../http/index.ts';
import {
  aliveLine,
  byeLine,
  helloLine,
  type StoredIds,
  updateLine,
  wholeLine,
} from './update-lines.ts';
import { aliveIntervalMs, updatesContentType } from './update-protocol.ts';

export interface UpdateStreamOptions {
  /** This router's id, new with each start. */
  readonly router: string;
  /** Returns the attempts in flight. */
  readonly snapshot: () => Iterable<AgedUpdate>;
  /** Which engines have stored responses: the newest last. @default none */
  readonly stored?: (() => readonly StoredAt[]) | undefined;
  /** Returns an engine's URL in the spelling that all routers use. */
  readonly sharedUrl: (url: string) => string;
  /**
   * Number of unsent bytes at which a listener is disconnected, without those of its first
   * snapshot. @default 4 MiB
   */
  readonly unsentBytesMax?: number | undefined;
  /** Interval between keep-alive lines. @default 1000 */
  readonly aliveMs?: number | undefined;
  /** A listener was disconnected for being too slow. */
  readonly onCut?: (() => void) | undefined;
}

/** A stored response, and the URL of the engine that has it. */
export type StoredAt = readonly [id: string, url: string];

/** Characters of ids and URLs in one line; a line may have twice as many bytes. */
const storedCharactersMax = 65_536;
/** Maximum number of listeners; further ones get a 503. */
const listenersMax = 64;
/**
 * Maximum size of a first snapshot with block names; in a larger one, prompts are sent without
 * them.
 */
const pictureBytesMax = 4 * 1_048_576;

interface Listener {
  readonly exchange: ServerExchange;
  /** Unsent bytes at which it is disconnected. */
  readonly unsentBytesMax: number;
}

/**
 * Updates are sent once per turn of the event loop, to all listeners. A listener that falls too far behind is
 * disconnected: it reconnects and starts with a new snapshot of the attempts in flight.
 */
export class UpdateStream {
  readonly #options: UpdateStreamOptions;
  readonly #listeners = new Set<Listener>();
  #pending = '';
  #stored: StoredAt[] = [];
  #flushing: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #inFlight = 0;
  #ending = false;

  constructor(options: UpdateStreamOptions) {
    this.#options = options;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Starts streaming. @returns False if the maximum number of listeners is reached. */
  add(exchange: ServerExchange): boolean {
    if (this.#listeners.size >= listenersMax || this.#ending) return false;
    // Current listeners must first get the updates that the snapshot will contain.
    this.#flush();
    const picture = Buffer.from(this.#picture(), 'latin1');
    const { unsentBytesMax = 4 * 1_048_576, aliveMs = aliveIntervalMs } = this.#options;
    const listener = { exchange, unsentBytesMax: picture.length + unsentBytesMax };
    exchange.closeAfterwards();
    exchange.listener = { onClientGone: () => this.#remove(listener) };
    const head =
      `HTTP/1.1 200 OK\r\nContent-Type: ${updatesContentType}\r\nCache-Control: no-store\r\n` +
      `${exchange.lastLines}\r\n`;
    exchange.begin(head, picture);
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#alive(), aliveMs).unref();
    return true;
  }

  /** Publishes an update about one attempt of this router. */
  tell(update: AttemptUpdate): void {
    if (update.kind === 'sent') this.#inFlight++;
    else if (update.kind === 'finished') this.#inFlight--;
    if (this.#listeners.size > 0) {
      this.#pending += this.#lineOf(update);
      this.#flushing ??= setImmediate(() => this.#flush());
    }
    if (this.#ending && this.#inFlight === 0) this.#end();
  }

  /** Publishes that an engine has a response. */
  tellStored(id: string, url: string): void {
    if (this.#listeners.size === 0) return;
    this.#stored.push([id, url]);
    this.#flushing ??= setImmediate(() => this.#flush());
  }

  /** Ends all streams once the attempts in flight have ended; accepts no new listeners. */
  endWhenIdle(): void {
    this.#ending = true;
    if (this.#inFlight === 0) this.#end();
  }

  #picture(): string {
    const { router, snapshot } = this.#options;
    let text = helloLine(router);
    for (const { update, agoSeconds } of snapshot()) {
      const told =
        update.kind === 'sent' && text.length > pictureBytesMax
          ? { ...update, blocks: undefined }
          : update;
      text += this.#lineOf(told, agoSeconds);
    }
    return text + wholeLine + this.#storedLines(this.#options.stored?.() ?? []);
  }

  #lineOf(update: AttemptUpdate, agoSeconds?: number): string {
    const told =
      update.kind === 'sent' ? { ...update, url: this.#options.sharedUrl(update.url) } : update;
    return updateLine(told, agoSeconds);
  }

  #storedLines(all: readonly StoredAt[]): string {
    let text = '';
    let ids: Record<string, string[]> = {};
    let characters = 0;
    const write = (stored: StoredIds) => {
      text += aliveLine(performance.now(), stored);
      [ids, characters] = [{}, 0];
    };
    for (const [id, own] of all) {
      const url = this.#options.sharedUrl(own);
      ids[url] ??= [];
      ids[url].push(id);
      characters += id.length + (ids[url].length === 1 ? url.length : 0);
      if (characters > storedCharactersMax) write(ids);
    }
    if (characters > 0) write(ids);
    return text;
  }

  #alive(): void {
    this.#pending += aliveLine(performance.now());
    this.#flush();
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    if (this.#stored.length > 0) {
      this.#pending += this.#storedLines(this.#stored);
      this.#stored = [];
    }
    if (this.#pending === '') return;
    // Latin-1, because these JSON lines are ASCII: URLs are encoded so, and the rest is numbers.
    const bytes = Buffer.from(this.#pending, 'latin1');
    this.#pending = '';
    for (const listener of this.#listeners) {
      listener.exchange.write(bytes);
      if (listener.exchange.unsentBytes > listener.unsentBytesMax) {
        this.#remove(listener);
        listener.exchange.destroy();
        this.#options.onCut?.();
      }
    }
  }

  #end(): void {
    if (this.#listeners.size === 0) return;
    this.#pending += byeLine;
    this.#flush();
    for (const listener of [...this.#listeners]) {
      this.#remove(listener);
      listener.exchange.end();
    }
  }

  #remove(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
