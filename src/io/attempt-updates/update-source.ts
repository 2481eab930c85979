// The listening end: follows the updates of one router at one address.

import type { AttemptUpdate } from '../../core/routing/index.ts';
import type { PeerState } from '../../core/views/index.ts';
import {
  ChunkedReader,
  type ResponseHead,
  type ResponseSink,
  type Tickable,
  type Ticker,
  type UpstreamExchange,
  type UpstreamFailure,
  UpstreamPool,
  type UpstreamTls,
} from '../http/index.ts';
import { LineReader } from './line-reader.ts';
import type { PeerUrl } from './peer-url.ts';
import { UpdateLag } from './update-lag.ts';
import {
  parseUpdateLine,
  type StoredIds,
  type UpdateLine,
  UpdateSyntaxError,
} from './update-lines.ts';
import {
  aliveIntervalMs,
  attemptUpdatesPath,
  updatesContentType,
  updatesVersion,
} from './update-protocol.ts';

/** Which router an address leads to: a peer, this router itself, or a peer that is connected elsewhere. */
export type PeerClaim = 'peer' | 'self' | 'duplicate';

export interface UpdateSourceOptions {
  readonly peer: PeerUrl;
  /** One of the addresses that the peer's name resolves to. */
  readonly address: string;
  /** Sent as a bearer token. */
  readonly key: string | undefined;
  readonly ticker: Ticker;
  /** For connections to an `https://` URL. */
  readonly tls: (() => UpstreamTls) | undefined;
  /** First pause before reconnecting; doubles up to 5 s. */
  readonly reconnectMs: number;
  /** Time without a whole line after which the router is considered gone. */
  readonly silenceMs: number;
  /** Uniform in [0, 1): spreads the reconnections of many routers. */
  readonly random: () => number;
  /** The address responded as the router of this id. */
  readonly claim: (router: string) => PeerClaim;
  readonly onUpdate: (router: string, update: AttemptUpdate, agoSeconds: number) => void;
  readonly onStored: (stored: StoredIds) => void;
  /** The attempts in flight of this router are no longer known. */
  readonly onLost: (router: string) => void;
  /** The state shown to users has changed. */
  readonly onChange: (source: UpdateSource) => void;
}

const reconnectMsMax = 5_000;
/** A stream that lasted for this long, of ten keep-alive lines, has worked; its loss is an event of its own. */
const workedMs = 10 * aliveIntervalMs;
/**
 * After so many streams in succession that were lost sooner, the next one has to work first: a router that breaks each stream again
 * is contacted ever less often, and is not reported each time. The first is allowed for a restart.
 */
const shortStreamsMax = 2;
/** Behind a load balancer's address, the router may change. */
const askAgainMs = 10_000;

export class UpdateSource implements ResponseSink, Tickable {
  readonly peer: PeerUrl;
  readonly address: string;
  /**
   * The peer's name no longer resolves to this address: once the stream ends, it is not
   * reconnected.
   */
  isGone = false;
  state: PeerState = 'connecting';
  /** The reason why it is not connected, in plain words. */
  problem = 'not contacted yet';
  /**
   * Whether the problem is a misconfiguration that someone must fix, not just a lost connection.
   */
  isFault = false;
  /** Whether the stream has been stable for a while, so that its loss is logged again. */
  settled = false;
  /** Delay of the last line with a time; undefined before the first of a stream. */
  delaySeconds: number | undefined;
  router: string | undefined;
  readonly #options: UpdateSourceOptions;
  readonly #pool: UpstreamPool;
  readonly #requestHead: string;
  #exchange: UpstreamExchange | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  /** Streams in succession that were lost before they had worked. */
  #shortStreams = 0;
  #connectedMs = 0;
  /** Tick of the last whole line, or of the request. */
  #lineTick = 0;
  #lines = new LineReader();
  #decoder: ChunkedReader | undefined;
  #lag = new UpdateLag();
  #closed = false;

  constructor(options: UpdateSourceOptions) {
    const { peer, address, key, ticker, tls, silenceMs } = options;
    this.peer = peer;
    this.address = address;
    this.#options = options;
    this.#pool = new UpstreamPool({
      url: peer.url,
      address,
      ticker,
      tls,
      limits: {
        idleConnectionsMax: 0,
        connectTimeoutMs: silenceMs,
        firstByteTimeoutMs: silenceMs,
        streamIdleTimeoutMs: silenceMs,
      },
    });
    ticker.add(this);
    this.#requestHead = [
      `GET ${peer.basePath}${attemptUpdatesPath} HTTP/1.1`,
      `Host: ${peer.host}`,
      `Accept: ${updatesContentType}`,
      ...(key === undefined ? [] : [`Authorization: Bearer ${key}`]),
      '\r\n',
    ].join('\r\n');
    this.#connect();
  }

  /** Name shown to users: the URL, and the address if it differs. */
  get name(): string {
    const { url, hostname } = this.peer;
    return this.address === hostname ? url : `${url} (${this.address})`;
  }

  close(): void {
    this.#closed = true;
    this.#leave();
    this.#pool.close();
    this.#options.ticker.remove(this);
  }

  /** The pool's deadline is for bytes: a router that sends a line byte by byte would keep its attempts counted. */
  onTick(nowTick: number): void {
    const { ticker, silenceMs } = this.#options;
    if (this.#exchange === undefined || nowTick - this.#lineTick <= ticker.ticks(silenceMs)) return;
    this.#lost(silence(silenceMs));
  }

  onHead(head: ResponseHead, bytes: Buffer, ended: boolean): boolean {
    if (head.status !== 200) {
      this.#lost(refusal(head.status, this.#options.key !== undefined), head.status !== 503);
      return false;
    }
    this.#decoder = head.framing === 'chunked' ? new ChunkedReader() : undefined;
    return this.onBytes(bytes, ended);
  }

  onBytes(bytes: Buffer, ended: boolean): boolean {
    try {
      const onLine = (line: string) => {
        this.#lineTick = this.#options.ticker.now;
        this.#take(parseUpdateLine(line));
      };
      if (this.#decoder === undefined) this.#lines.read(bytes, onLine);
      else {
        this.#decoder.read(bytes, 0, bytes.length, (from, start, end) => {
          this.#lines.read(from.subarray(start, end), onLine);
        });
      }
      if (ended) this.#lost('it closed the connection');
    } catch (error) {
      if (error instanceof UpdateSyntaxError) this.#lost(`it sent ${error.message}`, true);
      else if (!(error instanceof StreamOver)) throw error;
    }
    return false;
  }

  onFailure(failure: UpstreamFailure): void {
    this.#lost(failureInWords(failure, this.#options.silenceMs), failure.kind === 'syntax');
  }

  #connect(): void {
    this.#lines = new LineReader();
    this.#lag = new UpdateLag();
    this.#lineTick = this.#options.ticker.now;
    const request = { head: this.#requestHead, body: undefined, toHead: false };
    this.#exchange = this.#pool.send(request, this);
  }

  #take(line: UpdateLine): void {
    if (line.kind === 'hello') this.#greet(line);
    else if (this.router === undefined) throw new UpdateSyntaxError('no hello line');
    else if (line.kind === 'update') {
      this.#options.onUpdate(this.router, line.update, line.agoSeconds);
    } else if (line.kind === 'whole') {
      this.#connectedMs = performance.now();
      this.#change('connected', '');
    } else if (line.kind === 'bye') this.#over('it has shut down', false);
    else {
      this.#alive(line.atMs);
      if (line.stored !== undefined) this.#options.onStored(line.stored);
    }
  }

  #greet({ version, router }: UpdateLine & { kind: 'hello' }): void {
    if (this.router !== undefined) throw new UpdateSyntaxError('a second hello line');
    if (version !== updatesVersion) {
      const versions = `version ${version} of the protocol, this router version ${updatesVersion}`;
      this.#over(`it uses ${versions}`, true);
    }
    const claim = this.#options.claim(router);
    if (claim === 'peer') {
      this.router = router;
      return;
    }
    this.#leave();
    this.#change(
      claim,
      claim === 'self' ? 'it is this router' : 'it is connected at another address',
    );
    this.#connectLater(askAgainMs);
    throw new StreamOver();
  }

  #alive(sentMs: number): void {
    const nowMs = performance.now();
    this.delaySeconds = this.#lag.of(sentMs, nowMs);
    if (this.state !== 'connected') return;
    if (nowMs - this.#connectedMs >= workedMs) this.#shortStreams = 0;
    if (this.settled || this.#shortStreams >= shortStreamsMax) return;
    this.#failures = 0;
    this.settled = true;
    this.#options.onChange(this);
  }

  /** Ends the stream while its lines are being processed. */
  #over(problem: string, isFault: boolean): never {
    this.#lost(problem, isFault);
    throw new StreamOver();
  }

  #lost(problem: string, isFault = false): void {
    if (this.#closed) return;
    this.#leave();
    if (this.state === 'connected') this.#shortStreams++;
    this.isFault = isFault;
    const pauseMs = Math.min(this.#options.reconnectMs * 2 ** this.#failures, reconnectMsMax);
    this.#failures++;
    // The factor is at least a half, so that there is always a pause.
    this.#connectLater(pauseMs * (0.5 + this.#options.random() / 2));
    this.#change('connecting', problem);
    this.settled = false;
  }

  #leave(): void {
    clearTimeout(this.#timer);
    this.#exchange?.abort();
    this.#exchange = undefined;
    this.delaySeconds = undefined;
    const { router } = this;
    this.router = undefined;
    if (router !== undefined) this.#options.onLost(router);
  }

  #connectLater(pauseMs: number): void {
    this.#timer = setTimeout(() => this.#connect(), pauseMs);
  }

  #change(state: PeerState, problem: string): void {
    if (state === this.state && problem === this.problem) return;
    this.state = state;
    this.problem = problem;
    this.#options.onChange(this);
  }
}

/** Skips the lines after the one that ended a stream. */
class StreamOver extends Error {}

function refusal(status: number, hasKey: boolean): string {
  if (status === 401) return hasKey ? 'it has a different key' : 'it requires a key';
  if (status === 404) return 'it does not share its attempts';
  return `it returned ${status}`;
}

const silence = (silenceMs: number): string => `it was silent for ${silenceMs / 1000} s`;

function failureInWords({ kind, message }: UpstreamFailure, silenceMs: number): string {
  switch (kind) {
    case 'connect':
      return `it cannot be reached (${message})`;
    case 'timeout':
      return silence(silenceMs);
    case 'syntax':
      return 'it does not respond in HTTP';
    case 'reset':
    case 'truncated':
      return 'the connection broke';
  }
}
