// The options that a router is started with.
import type {
  AdmissionSettings,
  DeadlineSettings,
  HedgeSettings,
} from '../../core/attempts/index.ts';
import type { CorsSettings } from '../../core/cors/index.ts';
import type { ParameterValues } from '../../core/routing/index.ts';
import type { DiscoveredEndpoint, EndpointSource } from '../../io/endpoints/index.ts';
import type { ServerLimits, UpstreamLimits } from '../../io/http/index.ts';
import type { Logger } from '../../io/log/index.ts';
import type { TracingOptions } from '../../io/otlp/index.ts';
import type { TlsFiles } from '../../io/tls/index.ts';
import type { WebpageFile } from '../../io/webpage/index.ts';
import type { CacheSaltSource } from './requests/cache-salt.ts';
import type { DisaggregationSettings } from './settings/disaggregation.ts';
import type { DynamicConfigOptions } from './settings/dynamic-config-file.ts';
import type { PlanFile } from './settings/plan-file.ts';
import type { LmcacheControllerOptions } from './tiers/lmcache-controller.ts';
import type { TierSettings } from './tiers/tier-costs.ts';
import type { TokenizerSources } from './tokens/model-searches.ts';

/** ZMQ endpoints of an engine's KV events. */
export interface KvEventAddress {
  readonly endpoint: string;
  /** Where lost batches can be requested again. */
  readonly replayEndpoint: string | undefined;
}

/** Peer routers in front of the same engines, with which attempts are shared. */
export interface PeerOptions {
  /** Each URL stands for all routers that its host name resolves to; this router may be one of them. */
  readonly urls: readonly string[];
  /** Bearer token between routers; undefined lets any client listen. */
  readonly key?: string | undefined;
  /** Interval between resolutions of the host names. @default 5000 */
  readonly lookupMs?: number | undefined;
  /** Returns all addresses of a host name. @default the system's resolver */
  readonly lookup?: ((hostname: string) => Promise<readonly string[]>) | undefined;
}

/** How the router proves itself to engines and peer routers, and checks them. */
export interface EngineTlsOptions extends TlsFiles {
  /** Name that their certificates must have. @default the host of the URL */
  readonly serverName?: string | undefined;
}

export interface RouterOptions {
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** 0 for any free port. */
  readonly port: number;
  /** A fixed list, or a source whose engines change. */
  readonly engines: readonly DiscoveredEndpoint[] | EndpointSource;
  /** How engines are found: the name in `--service-discovery`. @default 'static' */
  readonly discovery?: string | undefined;
  /** A file that changes settings, and the listed engines, while the router runs. */
  readonly dynamicConfig?: DynamicConfigOptions | undefined;
  /** Model alias, as clients use it, to model name. */
  readonly aliases?: ReadonlyMap<string, string>;
  /** @default 'predictive' */
  readonly policy?: string;
  /** Engines that prefill and engines that decode; for the policies `disaggregated_prefill…`. */
  readonly disaggregation?: DisaggregationSettings | undefined;
  /** Header, or else top-level body key, that holds a request's session id. */
  readonly sessionKey?: string | undefined;
  /** Values of policy parameters by name; each policy reads its own. */
  readonly policyParameters?: ParameterValues | undefined;
  /** Clients must send it as a bearer token; undefined requires none. */
  readonly apiKey?: string | undefined;
  /** A file with keys, each of which clients may send instead; it is followed. */
  readonly apiKeyFile?: string | undefined;
  /** Sent to engines as a bearer token. */
  readonly engineApiKey?: string | undefined;
  /**
   * Whether a client's own Authorization reaches the engine. By default only if there is neither
   * an `engineApiKey`, which replaces it, nor an `apiKey` or `apiKeyFile`, which are meant for the router.
   */
  readonly forwardAuthorization?: boolean | undefined;
  /** What tells tenants apart, each of which gets a KV cache of its own in engines. @default nothing */
  readonly cacheSaltFrom?: CacheSaltSource | undefined;
  /** Path prefix that a reverse proxy in front of the router adds. @default '' */
  readonly rootPath?: string;
  /** Maximum number of other engines to try before the response starts. @default 2 */
  readonly reroutesMax?: number;
  /** Whether a stream whose engine fails goes on at another engine. @default true */
  readonly migration?: boolean | undefined;
  /** Time in which the share of an engine that has started grows; 0 for none. @default 10 */
  readonly slowStartSeconds?: number;
  /**
   * Whether clients see why an engine was picked (`x-spillway-pick`), and URLs of engines; else they see names, and
   * with a key the views are on the admin port only.
   *
   * @default true
   */
  readonly pickHeader?: boolean;
  /** @default 5000 */
  readonly healthIntervalMs?: number;
  /** @default 3000 */
  readonly healthTimeoutMs?: number;
  /** @default the interval that the policy asks for, else 5000 */
  readonly statsIntervalMs?: number | undefined;
  /** Window over which request rates are computed. @default 60 */
  readonly requestStatsWindowSeconds?: number;
  /**
   * Whether a policy that does not require KV events follows engines that publish them; the router then
   * tokenizes prompts. @default true
   */
  readonly kvEvents?: boolean;
  /** Where engines publish their KV events, by engine URL; by default, the router asks the engine. */
  readonly kvEventSources?: ReadonlyMap<string, KvEventAddress>;
  /** LMCache in engines reports here what it has. @default no controller */
  readonly lmcacheController?: LmcacheControllerOptions | undefined;
  /** LMCache's servers in multiprocess mode report here what they have. @default no coordinator */
  readonly lmcacheCoordinator?: { readonly host: string; readonly port: number } | undefined;
  /** Links of engines to host memory, disks and shared stores. */
  readonly tiers?: TierSettings | undefined;
  /** Where the tokenizers of models come from. @default 'auto' for all */
  readonly tokenizers?: TokenizerSources | undefined;
  /** How long a pick waits for the tokens of a prompt above 10 KB, which another thread computes. @default 200 */
  readonly tokenizeTimeoutMs?: number | undefined;
  /**
   * How long a pick waits for the /tokenize of an engine if the router has no tokenizer for the model; 0 never asks
   * an engine. @default 0
   */
  readonly engineTokenizeTimeoutMs?: number | undefined;
  /** Certificate, key, and authority of clients' certificates. @default plain HTTP */
  readonly tls?: TlsFiles | undefined;
  /** Interval between readings of `apiKeyFile`. @default 5000 */
  readonly keysPollMs?: number | undefined;
  /** Interval between readings of certificates. @default 5000 */
  readonly tlsPollMs?: number | undefined;
  /** Connections to `https://` engines and routers. @default the authorities that Node trusts */
  readonly engineTls?: EngineTlsOptions | undefined;
  /**
   * Serves health, metrics, views and the page on a port of their own, over plain HTTP, and all but health and version
   * no longer on `port`. @default one port for everything
   */
  readonly admin?: { readonly port: number; readonly host?: string | undefined } | undefined;
  /** Pages of other origins that may use the router. @default none */
  readonly cors?: CorsSettings | undefined;
  /** Names in `Host` that the views accept. @default any, or those of this machine if `host` is a loopback address */
  readonly allowedHosts?: readonly string[] | undefined;
  /** By default, attempts are not shared. */
  readonly peers?: PeerOptions | undefined;
  /** Bytes that may be held for clients. @default half of what the container or machine has beyond the router itself */
  readonly memoryBudgetBytes?: number | undefined;
  readonly server?: Partial<ServerLimits> & { readonly connectionsMax?: number };
  /** Connections to engines; the deadlines of requests are `deadlines`. */
  readonly upstream?: Partial<Pick<UpstreamLimits, 'connectTimeoutMs' | 'idleTimeoutMs'>>;
  /** @default `defaultDeadlines` */
  readonly deadlines?: Partial<DeadlineSettings>;
  /** Interval of comments on streams without data yet; 0 for none. @default 0 */
  readonly sseKeepAliveSeconds?: number;
  /** By default, requests do not wait in the router. */
  readonly admission?: AdmissionSettings | undefined;
  /** By default, no request is sent to two engines at once. */
  readonly hedging?: HedgeSettings | undefined;
  /** By default, no traces are sent. */
  readonly tracing?: TracingOptions | undefined;
  /** Resolution of deadlines: how late one may be noticed. @default 250 */
  readonly tickMs?: number;
  readonly webpage?: ReadonlyMap<string, WebpageFile>;
  /** The plan that the page shows beside what the router measures. */
  readonly plan?: PlanFile | undefined;
  /** Highest P99 of the KV cache utilization that the gate on the page passes. @default that of the plan, else 0.92 */
  readonly gateMax?: number | undefined;
  /** Interval of a log line with the figures of each engine. @default none */
  readonly logStatsSeconds?: number | undefined;
  readonly log: Logger;
}
