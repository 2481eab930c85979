// HTTP/1.1 on node:net: a strict server, and connection pools to engines.
export { acceptedCodings, BodyDecoder } from './body-decoder.ts';
export { bytesAtOnceMax } from './buffer-pool.ts';
export { ChunkedReader } from './chunked-reader.ts';
export { copied, type FetchedAnswer, fetchBytes, RepeatedGet } from './fetch-bytes.ts';
export { Headers } from './header-lines.ts';
export { type HeaderKind, headerKinds } from './header-names.ts';
export type { RequestHead } from './request-head.ts';
export type { ResponseHead } from './response-head.ts';
export { HttpServer, type HttpServerOptions } from './server.ts';
export type { ServerLimits } from './server-connection.ts';
export { type ExchangeListener, ServerExchange } from './server-exchange.ts';
export type { ServerMemory } from './server-memory.ts';
export { HttpSyntaxError } from './syntax-error.ts';
export { type Tickable, Ticker } from './ticker.ts';
export { type ServerTls, TlsAcceptor, type TlsLimits } from './tls-acceptor.ts';
export type { UpstreamTls } from './upstream-connection.ts';
export {
  type ResponseSink,
  UpstreamExchange,
  type UpstreamFailure,
  type UpstreamFailureKind,
  type UpstreamRequest,
} from './upstream-exchange.ts';
export { type UpstreamLimits, UpstreamPool } from './upstream-pool.ts';
