// An engine as the proxy needs it.
import type { UpstreamPool } from '../../../io/http/index.ts';
import type { ShownEngine } from '../fleet/client-sight.ts';
import type { EngineMetrics } from '../metrics/engine-metrics.ts';

/** An engine as the proxy needs it. */
export interface ProxyTarget {
  readonly url: string;
  readonly name: string;
  /** Its name with its URL, for logs and error messages. */
  readonly label: string;
  /** What clients are told of it. */
  readonly shown: ShownEngine;
  /** Header lines of responses that name the engine, each with CR LF. */
  readonly headerLines: string;
  /** Value of the Host header. */
  readonly host: string;
  /** Of the credentials in its URL, in place of any other; undefined without them. */
  readonly authorization: { readonly value: string } | undefined;
  /** Path in the engine's URL, without a trailing slash. */
  readonly basePath: string;
  /** Whether it is vLLM, as far as is known, which can be asked for the ids of tokens. */
  readonly takesTokenIds: boolean;
  /** It has refused a request for being asked. */
  refusedTokenIds(): void;
  readonly pool: UpstreamPool;
  readonly metrics: EngineMetrics;
}
