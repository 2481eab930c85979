// OTLP over gRPC: one unary call for each export request, on one HTTP/2 connection that is opened when it is needed.
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2';
import { type OtlpChannel, ResponseBytes, type SendResult } from './otlp-channel.ts';

export interface GrpcChannelOptions {
  /** Scheme, host and port count. */
  readonly url: URL;
  /** Metadata of each call. */
  readonly headers: Readonly<Record<string, string>>;
  /** Authority of the collector's certificate, in PEM. */
  readonly ca: string | undefined;
}

const exportPath = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
/**
 * CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE and DATA_LOSS:
 * https://opentelemetry.io/docs/specs/otlp/#failures
 */
const retryable: ReadonlySet<number> = new Set([1, 4, 10, 11, 14, 15]);
/** A message is preceded by a byte that says whether it is compressed, and by its length. */
const prefixBytes = 5;

/** @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
export class GrpcChannel implements OtlpChannel {
  readonly #options: GrpcChannelOptions;
  #session: ClientHttp2Session | undefined = undefined;

  constructor(options: GrpcChannelOptions) {
    this.#options = options;
  }

  send(body: Uint8Array, signal: AbortSignal): Promise<SendResult> {
    return new Promise((resolve) => {
      const failed = (error: Error) => resolve({ kind: 'retry', why: reasonOf(error) });
      if (signal.aborted) {
        failed(new DOMException('', 'AbortError'));
        return;
      }
      const session = this.#open();
      // A connection that cannot be made ends its streams without a reason.
      session.once('error', failed);
      const stream = session.request(
        {
          ...this.#options.headers,
          ':method': 'POST',
          ':path': exportPath,
          'content-type': 'application/grpc',
          te: 'trailers',
        },
        { signal },
      );
      const bytes = new ResponseBytes();
      let head: IncomingHttpHeaders = {};
      let trailers: IncomingHttpHeaders = {};
      stream.on('response', (headers) => {
        head = headers;
      });
      stream.on('trailers', (headers) => {
        trailers = headers;
      });
      stream.on('data', (part: Buffer) => bytes.add(part));
      stream.on('error', failed);
      stream.on('close', () => {
        session.off('error', failed);
        resolve(resultOf(head, { ...head, ...trailers }, bytes.all));
      });
      stream.write(prefixOf(body));
      stream.end(body);
    });
  }

  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  #open(): ClientHttp2Session {
    const current = this.#session;
    if (current !== undefined && !current.closed && !current.destroyed) return current;
    const { url, ca } = this.#options;
    const session = connect(url.origin, ca === undefined ? {} : { ca });
    const forget = () => {
      if (this.#session === session) this.#session = undefined;
    };
    // An idle connection does not keep the process running.
    session.unref();
    session.on('error', forget);
    session.on('goaway', forget);
    session.on('close', forget);
    this.#session = session;
    return session;
  }
}

function prefixOf(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return prefix;
}

function resultOf(
  head: IncomingHttpHeaders,
  trailers: IncomingHttpHeaders,
  bytes: Buffer,
): SendResult {
  const code = trailers['grpc-status'];
  if (code === undefined) {
    const status = head[':status'];
    if (status === undefined) return { kind: 'retry', why: 'the connection was closed' };
    return { kind: 'failed', why: `status ${status} without a gRPC status: is it a gRPC port?` };
  }
  if (code === '0') return { kind: 'ok', response: bytes.subarray(prefixBytes) };
  const why = `gRPC status ${code} ${String(trailers['grpc-message'] ?? '').slice(0, 200)}`.trim();
  return { kind: retryable.has(Number(code)) ? 'retry' : 'failed', why };
}

function reasonOf(error: Error): string {
  if (error.name === 'AbortError') return 'no response in time';
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}
