// How this program reaches the API server of a cluster: where it is, and how each request proves who asks.
import type { RequestOptions } from 'node:https';

export interface ClusterAccess {
  /** `https://host:port`, with a path if the server is behind a proxy that has one. */
  readonly server: string;
  /** TLS and credentials of the next request, read again when they are old. */
  requestOptions(): Promise<RequestOptions>;
  /** The server did not accept the credentials: they are read again for the next request. */
  refused(): void;
  close(): void;
}
