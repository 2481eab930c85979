// One request to an engine, and the receiver of its response.
import type { ResponseHead } from './response-head.ts';

/** A serialised request. */
export interface UpstreamRequest {
  /** Whole head in Latin-1, empty line included, and any bytes of the body that come before `body`. */
  readonly head: string;
  readonly body: Buffer | undefined;
  /** Whether it is a HEAD request, whose response has no body. */
  readonly toHead: boolean;
  /** Whether no engine may get it twice: it is sent on a new connection, as an idle one may break under it. */
  readonly isUnrepeatable?: boolean | undefined;
}

/**
 * Reason for an incomplete response. `connect`: no connection was made. `reset`: the connection broke.
 * `timeout`: a timeout expired. `syntax`: the bytes were not HTTP. `truncated`: the body ended early.
 */
export type UpstreamFailureKind = 'connect' | 'reset' | 'timeout' | 'syntax' | 'truncated';

export interface UpstreamFailure {
  readonly kind: UpstreamFailureKind;
  /** What happened, for logs and error responses. */
  readonly message: string;
  /** Node's code of the error that broke the connection, such as `ECONNREFUSED`. */
  readonly code?: string | undefined;
  /** Whether a byte of the response had arrived. */
  readonly answered: boolean;
  /** Whether the body ended where another chunk, or more of an unframed body, could follow. */
  readonly betweenChunks: boolean;
}

/**
 * Receives a response. `bytes` are the body as framed on the wire and are valid during the call only;
 * a receiver that still needs them afterwards returns true. `chunks` is the number of chunks that begin
 * in them; 0 if the body is not chunked.
 */
export interface ResponseSink {
  /** Set by a receiver that never returns true, so that its responses need no buffer of their own. */
  readonly keepsNothing?: true;
  onHead(head: ResponseHead, bytes: Buffer, ended: boolean, chunks: number): boolean;
  onBytes(bytes: Buffer, ended: boolean, chunks: number): boolean;
  /** The response will not arrive, or not completely. No calls follow. */
  onFailure(failure: UpstreamFailure): void;
}

/** The connection that carries a request, as the request needs it. */
export interface CarryingConnection {
  /** Whether more of the body could follow at the current position. */
  readonly betweenChunks: boolean;
  abort(): void;
  pause(): void;
  resume(): void;
}

/** Handle on a request in flight. */
export class UpstreamExchange {
  readonly request: UpstreamRequest;
  readonly sink: ResponseSink;
  /** Used by the pool: the connection that carries the request now. */
  connection: CarryingConnection | undefined = undefined;
  /** Used by the pool: whether a stale idle connection has been replaced already. */
  retriedStale = false;

  constructor(request: UpstreamRequest, sink: ResponseSink) {
    this.request = request;
    this.sink = sink;
  }

  /** Whether more of the body could follow at the current position. */
  get betweenChunks(): boolean {
    return this.connection?.betweenChunks ?? false;
  }

  /** Breaks the connection at once: the engine sees the disconnect and frees its blocks. */
  abort(): void {
    const { connection } = this;
    this.connection = undefined;
    connection?.abort();
  }

  /** Stops reading until `resume`: the client is slow. */
  pause(): void {
    this.connection?.pause();
  }

  resume(): void {
    this.connection?.resume();
  }
}
