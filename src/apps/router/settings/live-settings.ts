// Settings that may change while the router runs.
import type { DiscoveredEndpoint } from '../../../io/endpoints/index.ts';

export interface LiveSettings {
  /** Undefined if the endpoint source decides. */
  readonly engines: readonly DiscoveredEndpoint[] | undefined;
  /** Model alias, as clients use it, to model name. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Name of the routing policy. */
  readonly policy: string;
  readonly sessionKey: string | undefined;
  readonly healthIntervalMs: number;
  readonly healthTimeoutMs: number;
}
