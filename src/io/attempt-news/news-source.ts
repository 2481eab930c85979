// The listening end: follows the news of one router at one address, as long as it is wanted.
import type { AttemptNews } from '../../core/routing/index.ts';
import {
  ChunkedReader,
  type ResponseHead,
  type ResponseSink,
  type Ticker,
  type UpstreamExchange,
  type UpstreamFailure,
  UpstreamPool,
} from '../http/index.ts';
import { LineReader } from './line-reader.ts';
import { NewsLag } from './news-lag.ts';
import { type NewsLine, NewsSyntaxError, parseNewsLine } from './news-lines.ts';
import { attemptNewsPath, newsContentType, newsVersion } from './news-protocol.ts';
import type { PeerUrl } from './peer-url.ts';

/** Who it is that an address leads to: a router to hear, this one itself, or one heard elsewhere. */
export type PeerClaim = 'peer' | 'self' | 'twin';

export interface NewsSourceOptions {
  readonly peer: PeerUrl;
  /** One of those that the peer's name stands for. */
  readonly address: string;
  /** Sent as a bearer token. */
  readonly key: string | undefined;
  readonly ticker: Ticker;
  /** First pause before a new attempt; doubles up to 5 s. */
  readonly reconnectMs: number;
  /** Silence after which the router is taken to be gone. */
  readonly silenceMs: number;
  /** In [0, 1): spreads the attempts of many routers. */
  readonly random: () => number;
  /** The address answered, as the router of this id. */
  readonly claim: (router: string) => PeerClaim;
  readonly onNews: (router: string, news: AttemptNews, agoSeconds: number) => void;
  /** What it has in flight is known no longer. */
  readonly onLost: (router: string) => void;
  /** The state that people are shown has changed. */
  readonly onChange: (source: NewsSource) => void;
}

/**
 * - `waiting`: not connected.
 * - `heard`: its attempts are counted.
 * - `self`, `twin`: not followed; see `PeerClaim`.
 */
export type NewsSourceState = 'waiting' | 'heard' | 'self' | 'twin';

const reconnectMsMax = 5_000;
/** The router behind an address may become another one, where the address is a balancer's. */
const askAgainMs = 10_000;

export class NewsSource implements ResponseSink {
  readonly peer: PeerUrl;
  readonly address: string;
  /** Its name has come to stand for other addresses: once the stream ends it is not sought again. */
  isGone = false;
  state: NewsSourceState = 'waiting';
  /** Why it is not heard, in plain words. */
  problem = 'not asked yet';
  /** Whether that is more than a connection that is not there: somebody has to mend something. */
  isFault = false;
  /** Whether the stream has been fine for a while, so that its loss is worth telling again. */
  settled = false;
  /** Of the last line that told a time; undefined before the first of a stream. */
  lagSeconds: number | undefined;
  router: string | undefined;
  readonly #options: NewsSourceOptions;
  readonly #pool: UpstreamPool;
  readonly #requestHead: string;
  #exchange: UpstreamExchange | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #lines = new LineReader();
  #decoder: ChunkedReader | undefined;
  #lag = new NewsLag();
  #closed = false;

  constructor(options: NewsSourceOptions) {
    const { peer, address, key, ticker, silenceMs } = options;
    this.peer = peer;
    this.address = address;
    this.#options = options;
    this.#pool = new UpstreamPool({
      url: peer.url,
      address,
      ticker,
      limits: {
        idleConnectionsMax: 0,
        connectTimeoutMs: silenceMs,
        firstByteTimeoutMs: silenceMs,
        streamIdleTimeoutMs: silenceMs,
      },
    });
    this.#requestHead = [
      `GET ${peer.basePath}${attemptNewsPath} HTTP/1.1`,
      `Host: ${peer.host}`,
      `Accept: ${newsContentType}`,
      ...(key === undefined ? [] : [`Authorization: Bearer ${key}`]),
      '\r\n',
    ].join('\r\n');
    this.#connect();
  }

  /** For people: the URL, and the address where that says more. */
  get name(): string {
    const { url, hostname } = this.peer;
    return this.address === hostname ? url : `${url} (${this.address})`;
  }

  close(): void {
    this.#closed = true;
    this.#leave();
    this.#pool.close();
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
      const onLine = (line: string) => this.#take(parseNewsLine(line));
      if (this.#decoder === undefined) this.#lines.read(bytes, onLine);
      else {
        this.#decoder.read(bytes, 0, bytes.length, (from, start, end) => {
          this.#lines.read(from.subarray(start, end), onLine);
        });
      }
      if (ended) this.#lost('it ended the connection');
    } catch (error) {
      if (error instanceof NewsSyntaxError) this.#lost(`it sent ${error.message}`, true);
      else if (!(error instanceof StreamOver)) throw error;
    }
    return false;
  }

  onFailure(failure: UpstreamFailure): void {
    this.#lost(failureInWords(failure, this.#options.silenceMs), failure.kind === 'syntax');
  }

  #connect(): void {
    this.#lines = new LineReader();
    this.#lag = new NewsLag();
    const request = { head: this.#requestHead, body: undefined, toHead: false };
    this.#exchange = this.#pool.send(request, this);
  }

  #take(line: NewsLine): void {
    if (line.kind === 'hello') this.#greet(line);
    else if (this.router === undefined) throw new NewsSyntaxError('no greeting of a router');
    else if (line.kind === 'news') {
      this.#options.onNews(this.router, line.news, line.agoSeconds);
    } else if (line.kind === 'whole') this.#change('heard', '');
    else if (line.kind === 'bye') this.#over('it has ended', false);
    else this.#alive(line.atMs);
  }

  #greet({ version, router }: NewsLine & { kind: 'hello' }): void {
    if (this.router !== undefined) throw new NewsSyntaxError('a second greeting');
    if (version !== newsVersion) {
      const versions = `version ${version} of the protocol, this router version ${newsVersion}`;
      this.#over(`it speaks ${versions}`, true);
    }
    const claim = this.#options.claim(router);
    if (claim === 'peer') {
      this.router = router;
      return;
    }
    this.#leave();
    this.#change(claim, claim === 'self' ? 'it is this router' : 'it is heard at another address');
    this.#connectLater(askAgainMs);
    throw new StreamOver();
  }

  #alive(sentMs: number): void {
    this.lagSeconds = this.#lag.of(sentMs, performance.now());
    this.#failures = 0;
    if (this.settled || this.state !== 'heard') return;
    this.settled = true;
    this.#options.onChange(this);
  }

  /** Ends the stream in the middle of its lines. */
  #over(problem: string, isFault: boolean): never {
    this.#lost(problem, isFault);
    throw new StreamOver();
  }

  #lost(problem: string, isFault = false): void {
    if (this.#closed) return;
    this.#leave();
    this.isFault = isFault;
    const pauseMs = Math.min(this.#options.reconnectMs * 2 ** this.#failures, reconnectMsMax);
    this.#failures++;
    // At least half, so that nobody is asked without a pause.
    this.#connectLater(pauseMs * (0.5 + this.#options.random() / 2));
    this.#change('waiting', problem);
    this.settled = false;
  }

  #leave(): void {
    clearTimeout(this.#timer);
    this.#exchange?.abort();
    this.#exchange = undefined;
    this.lagSeconds = undefined;
    const { router } = this;
    this.router = undefined;
    if (router !== undefined) this.#options.onLost(router);
  }

  #connectLater(pauseMs: number): void {
    this.#timer = setTimeout(() => this.#connect(), pauseMs);
  }

  #change(state: NewsSourceState, problem: string): void {
    if (state === this.state && problem === this.problem) return;
    this.state = state;
    this.problem = problem;
    this.#options.onChange(this);
  }
}

/** Leaves the lines that follow the one that ended a stream. */
class StreamOver extends Error {}

function refusal(status: number, hasKey: boolean): string {
  if (status === 401) return hasKey ? 'it has another key' : 'it asks for a key';
  if (status === 404) return 'it does not share its attempts';
  return `it answers ${status}`;
}

function failureInWords({ kind, message }: UpstreamFailure, silenceMs: number): string {
  switch (kind) {
    case 'connect':
      return `it cannot be reached (${message})`;
    case 'timeout':
      return `it was silent for ${silenceMs / 1000} s`;
    case 'syntax':
      return 'it does not answer in HTTP';
    case 'reset':
    case 'truncated':
      return 'the connection broke';
  }
}
