// GET /metrics. The page of a large fleet has megabytes, so it is rendered and sent in parts, as fast as the client
// reads, with other work in between.
import {
  type MetricsRegistry,
  metricsContentType,
  openMetricsContentType,
} from '../../../core/metrics/index.ts';
import type { ExchangeListener, ServerExchange } from '../../../io/http/index.ts';
import { answer, responseHead } from '../requests/answer.ts';

/** @param hasExemplars Whether a scraper that accepts OpenMetrics gets them: they name traces. */
export function answerMetrics(
  exchange: ServerExchange,
  registry: MetricsRegistry,
  hasExemplars = false,
): void {
  const accept = exchange.head.headers.get('accept') ?? '';
  const isOpen = hasExemplars && accept.includes('application/openmetrics-text');
  const contentType = isOpen ? openMetricsContentType : metricsContentType;
  if (exchange.head.method === 'HEAD') {
    answer(exchange, 200, contentType, '');
    return;
  }
  const parts = registry.parts(isOpen ? 'openmetrics' : 'text');
  const first = parts.next().value ?? '';
  const second = parts.next();
  if (second.done) answer(exchange, 200, contentType, first);
  else new PageInParts(exchange, contentType, parts).begin(first + second.value);
}

class PageInParts implements ExchangeListener {
  readonly #exchange: ServerExchange;
  readonly #contentType: string;
  readonly #parts: Iterator<string>;
  readonly #isChunked: boolean;
  /** Whether the client has to read before more is rendered. */
  #isWaiting = false;

  constructor(exchange: ServerExchange, contentType: string, parts: Iterator<string>) {
    this.#exchange = exchange;
    this.#contentType = contentType;
    this.#parts = parts;
    // HTTP/1.0 has no chunks: the end of the connection is the end of the page.
    this.#isChunked = exchange.head.minorVersion > 0;
    if (!this.#isChunked) exchange.closeAfterwards();
  }

  begin(part: string): void {
    const framing = this.#isChunked ? ['Transfer-Encoding: chunked'] : [];
    const head = responseHead(this.#exchange, 200, this.#contentType, framing);
    this.#exchange.listener = this;
    this.#exchange.begin(head, this.#framed(part));
    this.#continue();
  }

  onDrain(): void {
    if (this.#isWaiting) this.#continue();
  }

  #continue(): void {
    this.#isWaiting = this.#exchange.congested;
    if (!this.#isWaiting) setImmediate(() => this.#send());
  }

  #send(): void {
    if (this.#exchange.over) return;
    const { value, done } = this.#parts.next();
    if (done) {
      if (this.#isChunked) this.#exchange.write(Buffer.from('0\r\n\r\n'));
      this.#exchange.end();
      return;
    }
    this.#exchange.write(this.#framed(value));
    this.#continue();
  }

  #framed(part: string): Buffer {
    if (!this.#isChunked) return Buffer.from(part);
    return Buffer.from(`${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`);
  }
}
