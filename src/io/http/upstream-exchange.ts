// One request to an engine, and the receiver of its answer.
import type { ResponseHead } from './response-head.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** A request, already serialised. */
export interface UpstreamRequest {
  /** Whole head in Latin-1, empty line included; its Content-Length fits `body`. */
  readonly head: string;
  readonly body: Buffer | undefined;
  /** Whether it is a HEAD request, whose answer has no body. */
  readonly toHead: boolean;
}

/**
 * Why there is no whole answer. `connect`: no connection came about. `reset`: the connection broke.
 * `timeout`: a deadline passed. `syntax`: the bytes were no HTTP. `truncated`: the body ended early.
 */
export type UpstreamFailureKind = 'connect' | 'reset' | 'timeout' | 'syntax' | 'truncated';

export interface UpstreamFailure {
  readonly kind: UpstreamFailureKind;
  /** What happened, in plain words. */
  readonly message: string;
  /** Whether a byte of the answer had come. */
  readonly answered: boolean;
  /** Whether the body ended where another chunk, or more of an unframed body, could follow. */
  readonly betweenChunks: boolean;
}

/**
 * Receives an answer. `bytes` are the body as framed on the wire and are valid during the call only;
 * a receiver that still needs them afterwards returns true.
 */
export interface ResponseSink {
  onHead(head: ResponseHead, bytes: Buffer, ended: boolean): boolean;
  onBytes(bytes: Buffer, ended: boolean): boolean;
  /** The answer will not come, or not whole. Nothing follows. */
  onFailure(failure: UpstreamFailure): void;
}

/** Handle on a request under way. */
export class UpstreamExchange {
  readonly request: UpstreamRequest;
  readonly sink: ResponseSink;
  /** For the pool: where it runs now. */
  connection: UpstreamConnection | undefined = undefined;
  /** For the pool: whether a stale kept socket has been replaced already. */
  retriedStale = false;

  constructor(request: UpstreamRequest, sink: ResponseSink) {
    this.request = request;
    this.sink = sink;
  }

  /** Breaks the connection at once: the engine sees that nobody waits, and frees its blocks. */
  abort(): void {
    const { connection } = this;
    this.connection = undefined;
    connection?.abort();
  }

  /** Reads no more until `resume`: the client is slow. */
  pause(): void {
    this.connection?.pause();
  }

  resume(): void {
    this.connection?.resume();
  }
}
