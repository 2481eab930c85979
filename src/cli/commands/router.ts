// `spillway router`: the router as one process, with the flags of production-stack's router.
import { setFlagsFromString } from 'node:v8';
import { Command, Option } from 'commander';
import {
  type KvEventAddress,
  type PeerOptions,
  type StaticEngine,
  startRouter,
} from '../../apps/router/index.ts';
import { InputError } from '../../core/base/index.ts';
import { policyNames } from '../../core/routing/index.ts';
import { watchLifeline } from '../../io/lifeline/index.ts';
import { createLogger } from '../../io/log/index.ts';
import { loadWebpage } from '../../io/webpage/index.ts';
import { addLogFlags, type LogFlags } from '../log-flags.ts';
import { refusedRouterFlags } from '../router-refused-flags.ts';

interface Flags extends LogFlags {
  readonly host: string;
  readonly port: number;
  readonly rootPath: string;
  readonly serviceDiscovery: string;
  readonly staticBackends: readonly string[];
  readonly staticModels?: readonly string[];
  readonly staticAliases?: readonly string[];
  readonly staticBackendHealthCheckInterval: number;
  readonly staticBackendHealthCheckTimeoutSeconds: number;
  readonly routingLogic: string;
  readonly sessionKey?: string;
  readonly prefixMinMatchLength: number;
  readonly kvAwareThreshold?: number;
  readonly maxInstanceFailoverRerouteAttempts: number;
  readonly engineStatsInterval: number;
  readonly requestStatsWindow: number;
  readonly kvEvents: boolean;
  readonly kvEventSource: ReadonlyMap<string, KvEventAddress>;
  readonly routerPeers?: readonly string[];
  readonly apiKey?: string;
  readonly forwardAuthorization?: boolean;
  readonly maxBufferedRequestBytes: number;
  readonly pickHeader: boolean;
  readonly dashboard: boolean;
  readonly maxRequestBytes: number;
  readonly maxConnections: number;
  readonly connectTimeout: number;
  readonly firstByteTimeout: number;
  readonly streamIdleTimeout: number;
  readonly shutdownTimeout: number;
}

export function routerCommand(): Command {
  const command = new Command('router')
    .description('an OpenAI-compatible reverse proxy that sends each request to the right engine')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 for any', wholeNumber('--port', 0, 65_535), 8001)
    .option('--root-path <path>', 'prefix of all paths', rootPath, '')
    .option('--service-discovery <kind>', 'how engines are found: static', discovery, 'static')
    .requiredOption('--static-backends <urls>', 'engines, comma-separated', list)
    .option('--static-models <models>', 'model of each engine, if it does not list its own', list)
    .option('--static-aliases <pairs>', 'other names of models, as alias:model,…', list)
    .option('--static-backend-health-checks', 'no effect: engines are always checked')
    .option(
      '--static-backend-health-check-interval <seconds>',
      'between two checks of an engine; one that is out is asked each second',
      seconds('--static-backend-health-check-interval'),
      5,
    )
    .option(
      '--static-backend-health-check-timeout-seconds <seconds>',
      'how long a check may take',
      seconds('--static-backend-health-check-timeout-seconds'),
      3,
    )
    .option(
      '--routing-logic <policy>',
      `how an engine is picked: ${policyNames.join(', ')}`,
      'predictive',
    )
    .option('--session-key <name>', 'header or body key that names a session')
    .option(
      '--prefix-min-match-length <bytes>',
      'prefixaware: a shorter match counts as none',
      wholeNumber('--prefix-min-match-length', 0),
      0,
    )
    .option(
      '--kv-aware-threshold <tokens>',
      'kvaware: with more uncached tokens than this, load alone decides',
      wholeNumber('--kv-aware-threshold', 0),
    )
    .option(
      '--max-instance-failover-reroute-attempts <n>',
      'further engines to try before the first byte of an answer',
      wholeNumber('--max-instance-failover-reroute-attempts', 0, 100),
      2,
    )
    .option(
      '--engine-stats-interval <seconds>',
      'between two readings of an engine’s /metrics',
      seconds('--engine-stats-interval'),
      5,
    )
    .option(
      '--request-stats-window <seconds>',
      'window of request rates',
      wholeNumber('--request-stats-window', 1, 86_400),
      60,
    )
    .addOption(
      new Option(
        '--kv-event-source <url=endpoint>',
        'where an engine publishes KV events: URL=ENDPOINT[,REPLAY_ENDPOINT]; may be repeated',
      )
        .argParser(kvEventSource)
        .default(new Map<string, KvEventAddress>(), 'none'),
    )
    .option(
      '--no-kv-events',
      'predictive: believe what was sent where, instead of following engines that publish KV events',
    )
    .option(
      '--router-peers <urls>',
      'routers before the same engines, comma-separated: each tells the others what it sends; a name ' +
        'stands for all its addresses. SPILLWAY_ROUTER_PEERS_KEY in the environment is their key',
      list,
    )
    .option(
      '--api-key <key>',
      'bearer token that clients must send (default: SPILLWAY_ROUTER_API_KEY, which no list of processes shows)',
    )
    .option(
      '--forward-authorization',
      'let the Authorization of clients reach engines (default: unless the router or the engines have a key)',
    )
    .option('--no-forward-authorization', 'do not let it reach them')
    .option('--no-pick-header', 'do not say in x-spillway-pick why an engine was picked')
    .option('--no-dashboard', 'do not serve the web page')
    .option(
      '--max-request-bytes <bytes>',
      'largest request body; more is answered 413',
      wholeNumber('--max-request-bytes', 1),
      64 * 1_048_576,
    )
    .option(
      '--max-buffered-request-bytes <bytes>',
      'all request bodies held at once; more is answered 503',
      wholeNumber('--max-buffered-request-bytes', 1),
      1024 * 1_048_576,
    )
    .option(
      '--max-connections <n>',
      'most client connections at once',
      wholeNumber('--max-connections', 1),
      16_384,
    )
    .option(
      '--connect-timeout <seconds>',
      'for a connection to an engine',
      seconds('--connect-timeout'),
      5,
    )
    .option(
      '--first-byte-timeout <seconds>',
      'for the first byte of an answer; 0: none, since engines may queue for long',
      seconds('--first-byte-timeout'),
      0,
    )
    .option(
      '--stream-idle-timeout <seconds>',
      'for how long an answer may stop',
      seconds('--stream-idle-timeout'),
      300,
    )
    .option(
      '--shutdown-timeout <seconds>',
      'after SIGTERM, for how long requests under way may finish',
      seconds('--shutdown-timeout'),
      30,
    )
    .action(run);
  addLogFlags(command);
  for (const [flag, why] of Object.entries(refusedRouterFlags)) {
    command.addOption(new Option(`--${flag} [value]`).hideHelp());
    command.on(`option:${flag}`, () => {
      throw new InputError(`--${flag} does not work here: ${why}.`);
    });
  }
  return command;
}

/** Bounds the young generation, which V8 otherwise lets grow by 100 MB under load for nothing. */
const youngGenerationFlags = ['--max-semi-space-size=6', '--semi-space-growth-factor=1'];

async function run(flags: Flags): Promise<void> {
  for (const flag of youngGenerationFlags) setFlagsFromString(flag);
  watchLifeline();
  const log = createLogger({
    stream: process.stderr,
    level: flags.logLevel,
    format: flags.logFormat,
  });
  const router = await startRouter({
    host: flags.host,
    port: flags.port,
    rootPath: flags.rootPath,
    engines: staticEngines(flags.staticBackends, flags.staticModels),
    aliases: aliases(flags.staticAliases ?? []),
    policy: flags.routingLogic,
    sessionKey: flags.sessionKey,
    prefixMinMatchLength: flags.prefixMinMatchLength,
    kvAwareThreshold: flags.kvAwareThreshold,
    apiKey: flags.apiKey ?? secretFrom('SPILLWAY_ROUTER_API_KEY'),
    engineApiKey: secretFrom('VLLM_API_KEY'),
    forwardAuthorization: flags.forwardAuthorization,
    reroutesMax: flags.maxInstanceFailoverRerouteAttempts,
    pickHeader: flags.pickHeader,
    healthIntervalMs: flags.staticBackendHealthCheckInterval * 1000,
    healthTimeoutMs: flags.staticBackendHealthCheckTimeoutSeconds * 1000,
    statsIntervalMs: flags.engineStatsInterval * 1000,
    requestStatsWindowSeconds: flags.requestStatsWindow,
    kvEvents: flags.kvEvents,
    kvEventSources: flags.kvEventSource,
    peers: peers(flags.routerPeers ?? []),
    server: {
      requestBytesMax: flags.maxRequestBytes,
      bufferedRequestBytesMax: flags.maxBufferedRequestBytes,
      connectionsMax: flags.maxConnections,
    },
    upstream: {
      connectTimeoutMs: flags.connectTimeout * 1000,
      firstByteTimeoutMs: flags.firstByteTimeout * 1000,
      streamIdleTimeoutMs: flags.streamIdleTimeout * 1000,
    },
    ...(flags.dashboard ? { webpage: await loadWebpage() } : {}),
    log,
  });
  process.stdout.write(`router: ${router.url}\n`);
  const signal = await nextSignal();
  log.info(`${signal}: finishing the requests under way; Ctrl-C again ends at once`);
  process.once('SIGINT', () => process.exit(130));
  await router.close(flags.shutdownTimeout * 1000);
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    const stop = (signal: string) => {
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
      resolve(signal);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  });
}

function staticEngines(
  urls: readonly string[],
  models: readonly string[] | undefined,
): StaticEngine[] {
  if (models !== undefined && models.length !== urls.length) {
    throw new InputError(
      `--static-models has ${models.length} entries, --static-backends ${urls.length}: ` +
        'give one model per engine, or leave --static-models out to learn them from the engines.',
    );
  }
  return urls.map((url, i) => {
    const model = models?.[i];
    return { url, models: model === undefined ? [] : [model] };
  });
}

function peers(urls: readonly string[]): PeerOptions | undefined {
  if (urls.length === 0) return undefined;
  return { urls, key: secretFrom('SPILLWAY_ROUTER_PEERS_KEY') };
}

/** From the environment: everybody on the machine can read the flags of a process. */
function secretFrom(variable: string): string | undefined {
  // A key from a file often ends with a line end.
  return process.env[variable]?.trim() || undefined;
}

function aliases(pairs: readonly string[]): Map<string, string> {
  return new Map(
    pairs.map((pair): [string, string] => {
      const colon = pair.indexOf(':');
      if (colon <= 0 || colon === pair.length - 1) {
        throw new InputError(`--static-aliases takes alias:model, not "${pair}".`);
      }
      return [pair.slice(0, colon), pair.slice(colon + 1)];
    }),
  );
}

function kvEventSource(
  text: string,
  sources: ReadonlyMap<string, KvEventAddress>,
): ReadonlyMap<string, KvEventAddress> {
  const [, url, endpoint, replayEndpoint] =
    /^(https?:\/\/[^=]+)=([^,]+)(?:,(.+))?$/.exec(text) ?? [];
  if (url === undefined || endpoint === undefined) {
    throw new InputError(
      `--kv-event-source takes URL=ENDPOINT[,REPLAY_ENDPOINT], such as ` +
        `http://127.0.0.1:8000=tcp://127.0.0.1:5557, not "${text}".`,
    );
  }
  return new Map([...sources, [url.replace(/\/+$/, ''), { endpoint, replayEndpoint }]]);
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function discovery(text: string): string {
  if (text === 'static') return text;
  throw new InputError(
    `--service-discovery "${text}" is not there yet; "static" with --static-backends is.`,
  );
}

function rootPath(text: string): string {
  const path = text.replace(/\/+$/, '');
  if (path === '' || path.startsWith('/')) return path;
  throw new InputError(`--root-path must begin with "/", not "${text}".`);
}

function wholeNumber(flag: string, min: number, max = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new InputError(`${flag} takes a whole number ${range}, not "${text}".`);
  };
}

function seconds(flag: string) {
  return (text: string): number => {
    const value = Number(text);
    // setInterval counts in 32-bit milliseconds.
    if (text.trim() !== '' && value >= 0 && value <= 2_000_000) return value;
    throw new InputError(`${flag} takes seconds from 0 to 2000000, not "${text}".`);
  };
}
