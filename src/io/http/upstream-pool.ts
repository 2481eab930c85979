// The connections to one engine: reused, bounded, with deadlines. A request meets a stale
// connection at most once.
import { InputError } from '../../core/base/index.ts';
import type { Ticker } from './ticker.ts';
import {
  type ConnectionOwner,
  type Origin,
  UpstreamConnection,
  type UpstreamTls,
} from './upstream-connection.ts';
import type {
  ResponseSink,
  UpstreamFailure,
  UpstreamFailureKind,
  UpstreamRequest,
} from './upstream-exchange.ts';
import { UpstreamExchange } from './upstream-exchange.ts';

/** Limits and timeouts of connections to an engine; a timeout of 0 means none. */
export interface UpstreamLimits {
  /** Maximum number of idle connections; further ones are closed as they become idle. */
  readonly idleConnectionsMax: number;
  /**
   * Maximum time that a connection stays idle. vLLM's server closes its side after 5 s
   * (VLLM_HTTP_TIMEOUT_KEEP_ALIVE), and a request sent at that moment is lost.
   */
  readonly idleTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Time from the request to the first byte of the response; engines may queue it for long. */
  readonly firstByteTimeoutMs: number;
  /** Time between two reads of a response. */
  readonly streamIdleTimeoutMs: number;
}

const defaultUpstreamLimits: UpstreamLimits = {
  idleConnectionsMax: 1024,
  idleTimeoutMs: 3_000,
  connectTimeoutMs: 5_000,
  firstByteTimeoutMs: 0,
  streamIdleTimeoutMs: 300_000,
};

export class UpstreamPool implements ConnectionOwner {
  readonly origin: Origin;
  readonly #ticker: Ticker;
  readonly #limits: UpstreamLimits;
  readonly #tls: (() => UpstreamTls) | undefined;
  readonly #onKeptClosed: (() => void) | undefined;
  readonly #connections = new Set<UpstreamConnection>();
  /** The youngest is last, because the engine is least likely to close it. */
  readonly #idle: UpstreamConnection[] = [];
  /** No connection has a deadline before this tick. While a request is in flight it is the next one. */
  #nextTick = 0;
  #isClosed = false;

  /**
   * @param options `url`: http:// or https://, host and port; the caller adds a path. `address`:
   * where to connect, if not to any address that the host name resolves to. `tls`: asked for each
   * new connection to an https:// URL. `onKeptClosed`: called when the engine closes a connection that was kept for
   * later requests, as it does when its process ends.
   */
  constructor(options: {
    readonly url: string;
    readonly address?: string | undefined;
    readonly ticker: Ticker;
    readonly limits?: Partial<UpstreamLimits> | undefined;
    readonly tls?: (() => UpstreamTls) | undefined;
    readonly onKeptClosed?: (() => void) | undefined;
  }) {
    this.origin = { ...parseOrigin(options.url), address: options.address };
    this.#ticker = options.ticker;
    this.#limits = { ...defaultUpstreamLimits, ...options.limits };
    this.#tls = options.tls;
    this.#onKeptClosed = options.onKeptClosed;
    this.#ticker.add(this);
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Sends a request, on an idle connection if there is one that it may use. The sink is called in later turns. */
  send(request: UpstreamRequest, sink: ResponseSink): UpstreamExchange {
    const exchange = new UpstreamExchange(request, sink);
    if (this.#isClosed) {
      queueMicrotask(() => sink.onFailure(closedFailure));
      return exchange;
    }
    const idle = request.isUnrepeatable === true ? undefined : this.#idle.pop();
    const connection = idle ?? this.#open();
    this.#start(connection, exchange);
    return exchange;
  }

  /** Closes all connections. Requests in flight fail, and so does each later one. */
  close(): void {
    this.#isClosed = true;
    this.#ticker.remove(this);
    for (const connection of this.#connections) {
      connection.fail(closedFailure.kind, closedFailure.message);
    }
  }

  onTick(nowTick: number): void {
    // Most pools of a large fleet have only idle connections.
    if (nowTick < this.#nextTick) return;
    const idleTicks = this.#ticker.ticks(this.#limits.idleTimeoutMs);
    let nextTick = Number.POSITIVE_INFINITY;
    for (const connection of this.#connections) {
      if (connection.sinceTick < 0) connection.sinceTick = nowTick;
      const waited = nowTick - connection.sinceTick;
      if (connection.busy) {
        nextTick = 0;
        this.#checkDeadlines(connection, waited);
      } else if (waited >= idleTicks) this.#dropIdle(connection);
      else nextTick = Math.min(nextTick, connection.sinceTick + idleTicks);
    }
    this.#nextTick = nextTick;
  }

  connectionFree(connection: UpstreamConnection): void {
    if (this.#idle.length >= this.#limits.idleConnectionsMax) {
      connection.abort();
      return;
    }
    connection.sinceTick = this.#ticker.now;
    this.#idle.push(connection);
  }

  connectionClosed(connection: UpstreamConnection): void {
    this.#connections.delete(connection);
    if (this.#removeIdle(connection) && !this.#isClosed) this.#onKeptClosed?.();
  }

  exchangeFailed(
    connection: UpstreamConnection,
    exchange: UpstreamExchange,
    kind: UpstreamFailureKind,
    message: string,
  ): void {
    exchange.connection = undefined;
    const stale =
      kind === 'reset' && !this.#isClosed && connection.served > 0 && !connection.answered;
    if (stale && !exchange.retriedStale) {
      // The engine closed an idle connection just as it was used, so it has not received the
      // request.
      this.#onKeptClosed?.();
      exchange.retriedStale = true;
      this.#start(this.#open(), exchange);
      return;
    }
    const { answered, betweenChunks, errorCode: code } = connection;
    exchange.sink.onFailure({ kind, message, code, answered, betweenChunks });
  }

  #open(): UpstreamConnection {
    const connection = new UpstreamConnection(this, this.origin, this.#tls?.());
    this.#connections.add(connection);
    return connection;
  }

  #start(connection: UpstreamConnection, exchange: UpstreamExchange): void {
    connection.sinceTick = this.#ticker.now;
    this.#nextTick = 0;
    connection.start(exchange);
  }

  #checkDeadlines(connection: UpstreamConnection, waited: number): void {
    const { connectTimeoutMs, firstByteTimeoutMs, streamIdleTimeoutMs } = this.#limits;
    const over = (timeoutMs: number) => waited > this.#ticker.ticks(timeoutMs);
    if (!connection.connected) {
      if (over(connectTimeoutMs)) {
        connection.fail('connect', `no connection within ${connectTimeoutMs / 1000} s`);
      }
    } else if (!connection.answered) {
      if (over(firstByteTimeoutMs)) {
        connection.fail('timeout', `no response within ${firstByteTimeoutMs / 1000} s`);
      }
    } else if (over(streamIdleTimeoutMs)) {
      connection.fail('timeout', `no data for ${streamIdleTimeoutMs / 1000} s`);
    }
  }

  #dropIdle(connection: UpstreamConnection): void {
    this.#removeIdle(connection);
    connection.abort();
  }

  /** @returns Whether it was idle. */
  #removeIdle(connection: UpstreamConnection): boolean {
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    return index >= 0;
  }
}

/** What the sink of a request gets after `close`. */
const closedFailure: UpstreamFailure = {
  ...{ kind: 'reset', message: 'the connections to the engine were closed' },
  ...{ answered: false, betweenChunks: false },
};

function parseOrigin(url: string): Omit<Origin, 'address'> {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.hostname === '') {
    throw new InputError(`"${url}" is not an engine URL: it must look like http://host:8000.`);
  }
  const secure = parsed.protocol === 'https:';
  return {
    secure,
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? (secure ? 443 : 80) : Number(parsed.port),
  };
}
