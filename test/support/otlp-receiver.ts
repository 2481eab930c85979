// A collector for tests: receives spans by OTLP over HTTP or gRPC on a real socket, and responds as it is told.
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { decodeExportRequest, type ReceivedSpan } from './otlp-message.ts';

/** One response: a status of HTTP or of gRPC, or none at all. */
export interface ScriptedReply {
  /** @default 200 for HTTP, 0 for gRPC */
  readonly status?: number;
  readonly retryAfterSeconds?: number;
  /** Spans that the response reports as rejected. */
  readonly rejectedSpans?: number;
  /** The request gets no response. */
  readonly isSilent?: boolean;
}

export interface OtlpReceiver {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  readonly spans: ReceivedSpan[];
  /** Headers of the requests so far, refused ones included. */
  readonly requests: IncomingHttpHeaders[];
  /** Responses to the next requests; afterwards all are accepted. */
  readonly replies: ScriptedReply[];
  /** Resolves when so many spans have been accepted. */
  received(count: number): Promise<readonly ReceivedSpan[]>;
  close(): Promise<void>;
}

export async function startOtlpReceiver(protocol: 'grpc' | 'http/protobuf'): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const requests: IncomingHttpHeaders[] = [];
  const replies: ScriptedReply[] = [];
  let check = () => {};
  const accept = (body: Buffer) => {
    spans.push(...decodeExportRequest(body));
    check();
  };
  const closers: (() => void)[] = [];
  const server =
    protocol === 'grpc'
      ? createHttp2Server()
          .on('session', (session) => closers.push(() => session.destroy()))
          .on('stream', (stream, headers) => {
            requests.push(headers);
            stream.on('error', () => {});
            void bodyOf(stream).then((message) => {
              const { status = 0, rejectedSpans, isSilent } = replies.shift() ?? {};
              if (isSilent) return;
              if (status === 0) accept(message.subarray(5));
              const head = { ':status': 200, 'content-type': 'application/grpc' };
              if (status !== 0) {
                stream.respond({ ...head, 'grpc-status': String(status) }, { endStream: true });
                return;
              }
              stream.respond(head, { waitForTrailers: true });
              stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
              const response = responseOf(rejectedSpans);
              const prefix = Buffer.alloc(5);
              prefix.writeUInt32BE(response.length, 1);
              stream.end(Buffer.concat([prefix, response]));
            });
          })
      : createServer((request, response) => {
          requests.push(request.headers);
          void bodyOf(request).then((body) => {
            const {
              status = 200,
              retryAfterSeconds,
              rejectedSpans,
              isSilent,
            } = replies.shift() ?? {};
            if (isSilent) return;
            if (status === 200) accept(body);
            if (retryAfterSeconds) response.setHeader('retry-after', retryAfterSeconds);
            response.writeHead(status).end(status === 200 ? responseOf(rejectedSpans) : undefined);
          });
        });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ spans, requests, replies },
    received: (count) =>
      new Promise((resolve) => {
        check = () => spans.length >= count && resolve(spans);
        check();
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const close of closers) close();
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

async function bodyOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  try {
    for await (const part of stream) parts.push(part);
  } catch {
    // The client has gone.
  }
  return Buffer.concat(parts);
}

/** An `ExportTraceServiceResponse`. */
function responseOf(rejectedSpans: number | undefined): Buffer {
  if (rejectedSpans === undefined) return Buffer.alloc(0);
  const message = Buffer.from('no room');
  const partial = Buffer.concat([Buffer.from([8, rejectedSpans, 18, message.length]), message]);
  return Buffer.concat([Buffer.from([10, partial.length]), partial]);
}
