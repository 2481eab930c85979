// What a router is started with.
import type { ServerLimits, UpstreamLimits } from '../../io/http/index.ts';
import type { Logger } from '../../io/log/index.ts';
import type { WebpageFile } from '../../io/webpage/index.ts';

/** One engine of the static list. */
export interface StaticEngine {
  /** http:// or https://, with or without a path. */
  readonly url: string;
  /** Models to assume if the engine does not list its own. */
  readonly models: readonly string[];
}

/** ZMQ endpoints of an engine's KV events. */
export interface KvEventAddress {
  readonly endpoint: string;
  /** Where lost batches can be asked for again. */
  readonly replayEndpoint: string | undefined;
}

/** Other routers before the same engines, with which attempts are shared. */
export interface PeerOptions {
  /** Each stands for all routers that its host name has addresses of; this router may be among them. */
  readonly urls: readonly string[];
  /** Bearer token between routers; undefined lets everybody listen. */
  readonly key?: string | undefined;
  /** Pause between two looks at what the host names stand for. @default 5000 */
  readonly lookupMs?: number | undefined;
  /** All addresses of a host name. @default the system's resolver */
  readonly lookup?: ((hostname: string) => Promise<readonly string[]>) | undefined;
}

export interface RouterOptions {
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** 0 for any free port. */
  readonly port: number;
  readonly engines: readonly StaticEngine[];
  /** Name that clients may use to the model that it stands for. */
  readonly aliases?: ReadonlyMap<string, string>;
  /** @default 'predictive' */
  readonly policy?: string;
  /** Header, or else top-level body key, that names a request's session. */
  readonly sessionKey?: string | undefined;
  /** For `prefixaware`: a shorter match, in bytes, counts as none. */
  readonly prefixMinMatchLength?: number | undefined;
  /** For `kvaware`: with more uncached tokens than this, load alone decides. */
  readonly kvAwareThreshold?: number | undefined;
  /** Clients must send it as a bearer token; undefined lets everybody in. */
  readonly apiKey?: string | undefined;
  /** Sent to engines as a bearer token. */
  readonly engineApiKey?: string | undefined;
  /**
   * Whether a client's own Authorization reaches the engine. Unless given: only if there is neither
   * an `engineApiKey`, which takes its place, nor an `apiKey`, which was meant for the router.
   */
  readonly forwardAuthorization?: boolean | undefined;
  /** Prefix of all paths, as a reverse proxy in front of us adds it. @default '' */
  readonly rootPath?: string;
  /** Further engines to try before the first byte of an answer. @default 2 */
  readonly reroutesMax?: number;
  /** Whether answers carry `x-spillway-pick`. @default true */
  readonly pickHeader?: boolean;
  /** @default 5000 */
  readonly healthIntervalMs?: number;
  /** @default 3000 */
  readonly healthTimeoutMs?: number;
  /** @default 5000 */
  readonly statsIntervalMs?: number;
  /** Over which request rates are taken. @default 60 */
  readonly requestStatsWindowSeconds?: number;
  /**
   * Whether `predictive` follows the KV events of engines that publish them; requests are then
   * tokenized by an engine first. `kvaware` always does. @default true
   */
  readonly kvEvents?: boolean;
  /** Where engines publish their KV events, by engine URL; asked of the engine if not given. */
  readonly kvEventSources?: ReadonlyMap<string, KvEventAddress>;
  /** Unless given, attempts are not shared. */
  readonly peers?: PeerOptions | undefined;
  readonly server?: Partial<ServerLimits> & { readonly connectionsMax?: number };
  readonly upstream?: Partial<UpstreamLimits>;
  /** How late a deadline may be noticed. @default 250 */
  readonly tickMs?: number;
  readonly webpage?: ReadonlyMap<string, WebpageFile>;
  readonly log: Logger;
}
