// GET /dashboard/events: the router's view once per second, as server-sent events.
import type { RouterView } from '../../../core/views/index.ts';
import type { ServerExchange } from '../../../io/http/index.ts';
import { answer, answerError } from '../requests/answer.ts';

/** Maximum number of viewers at once; further ones get a 503. */
const viewersMax = 64;
const intervalMs = 1_000;
const contentType = 'text/event-stream';

export class EventFeed {
  readonly #view: () => RouterView;
  readonly #viewers = new Set<ServerExchange>();
  #timer: NodeJS.Timeout | undefined = undefined;

  constructor(view: () => RouterView) {
    this.#view = view;
  }

  add(exchange: ServerExchange): void {
    if (exchange.head.method === 'HEAD') {
      answer(exchange, 200, contentType, '');
      return;
    }
    if (this.#viewers.size >= viewersMax) {
      answerError(exchange, { status: 503, message: `More than ${viewersMax} viewers.` });
      return;
    }
    exchange.closeAfterwards();
    exchange.listener = { onClientGone: () => this.#remove(exchange) };
    const head =
      `HTTP/1.1 200 OK\r\nContent-Type: ${contentType}\r\nCache-Control: no-cache\r\n` +
      `${exchange.lastLines}\r\n`;
    exchange.begin(head, Buffer.from(this.#event()));
    this.#viewers.add(exchange);
    this.#timer ??= setInterval(() => this.#send(), intervalMs).unref();
  }

  /** Ends all feeds. */
  close(): void {
    for (const viewer of this.#viewers) viewer.end();
    clearInterval(this.#timer);
  }

  #send(): void {
    const event = Buffer.from(this.#event());
    for (const viewer of this.#viewers) {
      // A slow viewer skips events, so that they do not accumulate.
      if (!viewer.congested) viewer.write(event);
    }
  }

  #event(): string {
    return `data: ${JSON.stringify(this.#view())}\n\n`;
  }

  #remove(exchange: ServerExchange): void {
    this.#viewers.delete(exchange);
    if (this.#viewers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
