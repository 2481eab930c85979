// The serving end: what this router sends to engines, as lines to each router that listens.
import type { AgedNews, AttemptNews } from '../../core/routing/index.ts';
import type { ServerExchange } from '../http/index.ts';
import { aliveLine, byeLine, helloLine, newsLine, wholeLine } from './news-lines.ts';
import { aliveIntervalMs, newsContentType } from './news-protocol.ts';

export interface NewsStreamOptions {
  /** This router's id, new with each start. */
  readonly router: string;
  /** Its attempts in flight. */
  readonly snapshot: () => Iterable<AgedNews>;
  /** The engine's URL as all routers spell it. */
  readonly sharedUrl: (url: string) => string;
  /** Unsent bytes with which a listener is cut, those of its first picture aside. @default 4 MiB */
  readonly unsentBytesMax?: number | undefined;
  /** Pause between two signs of life. @default 1000 */
  readonly aliveMs?: number | undefined;
  /** A listener was cut. */
  readonly onCut?: (() => void) | undefined;
}

/** Most listeners at once; more are told to come back. */
const listenersMax = 64;
/** Beyond so much in a first picture, prompts are told without the names of their blocks. */
const pictureBytesMax = 4 * 1_048_576;

interface Listener {
  readonly exchange: ServerExchange;
  /** Unsent bytes with which it is cut. */
  readonly unsentBytesMax: number;
}

/**
 * News goes out once per turn of the event loop, to all listeners alike. A listener that does not take it is
 * cut when it is too far behind: it connects again and begins with a new picture of what is in flight.
 */
export class NewsStream {
  readonly #options: NewsStreamOptions;
  readonly #listeners = new Set<Listener>();
  #pending = '';
  #flushing: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #inFlight = 0;
  #ending = false;

  constructor(options: NewsStreamOptions) {
    this.#options = options;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Begins to tell. @returns Whether there is room for another listener. */
  add(exchange: ServerExchange): boolean {
    if (this.#listeners.size >= listenersMax || this.#ending) return false;
    // Those who listen already have to hear first what the picture will hold.
    this.#flush();
    const picture = Buffer.from(this.#picture(), 'latin1');
    const { unsentBytesMax = 4 * 1_048_576, aliveMs = aliveIntervalMs } = this.#options;
    const listener = { exchange, unsentBytesMax: picture.length + unsentBytesMax };
    exchange.closeAfterwards();
    exchange.onClientGone = () => this.#remove(listener);
    const head =
      `HTTP/1.1 200 OK\r\nContent-Type: ${newsContentType}\r\nCache-Control: no-store\r\n` +
      `${exchange.connectionLine}\r\n`;
    exchange.begin(head, picture);
    this.#listeners.add(listener);
    this.#timer ??= setInterval(() => this.#alive(), aliveMs).unref();
    return true;
  }

  /** Tells of one attempt of this router. */
  tell(news: AttemptNews): void {
    if (news.kind === 'sent') this.#inFlight++;
    else if (news.kind === 'finished') this.#inFlight--;
    if (this.#listeners.size > 0) {
      this.#pending += this.#lineOf(news);
      this.#flushing ??= setImmediate(() => this.#flush());
    }
    if (this.#ending && this.#inFlight === 0) this.#end();
  }

  /** Ends all streams as soon as the attempts in flight have ended; takes no new listeners. */
  endWhenIdle(): void {
    this.#ending = true;
    if (this.#inFlight === 0) this.#end();
  }

  #picture(): string {
    const { router, snapshot } = this.#options;
    let text = helloLine(router);
    for (const { news, agoSeconds } of snapshot()) {
      const told =
        news.kind === 'sent' && text.length > pictureBytesMax
          ? { ...news, blocks: undefined }
          : news;
      text += this.#lineOf(told, agoSeconds);
    }
    return text + wholeLine;
  }

  #lineOf(news: AttemptNews, agoSeconds?: number): string {
    const told = news.kind === 'sent' ? { ...news, url: this.#options.sharedUrl(news.url) } : news;
    return newsLine(told, agoSeconds);
  }

  #alive(): void {
    this.#pending += aliveLine(performance.now());
    this.#flush();
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    if (this.#pending === '') return;
    // Latin-1, as JSON of ours holds ASCII only: URLs are written so, and the rest is numbers.
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
