// `spillway router`: the router as one process, with the flags of production-stack's router.
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { Command, Option } from 'commander';
import {
  type KvEventAddress,
  listedAliases,
  listedEngines,
  type PeerOptions,
  type RouterOptions,
  refusedRouterFlags,
  startRouter,
  type TokenizerSources,
} from '../../apps/router/index.ts';
import { routerTimeouts, timeoutSecondsMax } from '../../core/attempts/index.ts';
import { commaList, InputError, version } from '../../core/base/index.ts';
import {
  defaultPolicyName,
  policies,
  policyNames,
  slowStartSecondsDefault,
  unusedParameters,
} from '../../core/routing/index.ts';
import { discoveries, namedByModel } from '../../io/endpoints/index.ts';
import { watchLifeline } from '../../io/lifeline/index.ts';
import { createLogger, type Logger } from '../../io/log/index.ts';
import { endOnHurry, stopped, watchStopSignals } from '../../io/signals/index.ts';
import { loadWebpage } from '../../io/webpage/index.ts';
import { type AdmissionFlags, addAdmissionFlags, admissionFrom } from '../admission-flags.ts';
import { integer, portOrAny, positiveInteger } from '../arguments/numbers.ts';
import { byteSize, duration } from '../arguments/quantities.ts';
import { addLogFlags, type LogFlags } from '../log-flags.ts';
import { addPolicyFlags, policyParametersFrom, unusedFlagText } from '../policy-flags.ts';

interface Flags extends LogFlags, AdmissionFlags {
  readonly host: string;
  readonly port: number;
  readonly rootPath: string;
  readonly adminPort?: number;
  readonly adminHost?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly engineTlsCa?: string;
  readonly engineTlsCert?: string;
  readonly engineTlsKey?: string;
  readonly engineTlsServerName?: string;
  readonly allowedOrigins?: readonly string[];
  readonly allowedMethods?: readonly string[];
  readonly allowedHeaders?: readonly string[];
  readonly allowCredentials?: boolean;
  readonly allowedHosts?: readonly string[];
  readonly serviceDiscovery?: string;
  readonly staticBackends?: readonly string[];
  readonly staticModels?: readonly string[];
  readonly staticNames?: readonly string[];
  readonly staticAliases?: readonly string[];
  readonly dynamicConfigYaml?: string;
  readonly dynamicConfigJson?: string;
  readonly staticBackendHealthCheckInterval: number;
  readonly staticBackendHealthCheckTimeoutSeconds: number;
  readonly routingLogic: string;
  readonly sessionKey?: string;
  readonly maxInstanceFailoverRerouteAttempts: number;
  readonly migration: boolean;
  readonly engineStatsInterval?: number;
  readonly requestStatsWindow: number;
  readonly kvEvents: boolean;
  readonly kvEventSource: ReadonlyMap<string, KvEventAddress>;
  readonly tokenizer: TokenizerSources;
  readonly engineTokenizeTimeout: number;
  readonly routerPeers?: readonly string[];
  readonly apiKey?: string;
  readonly forwardAuthorization?: boolean;
  readonly maxBufferedRequestBytes: number;
  readonly pickHeader: boolean;
  readonly dashboard: boolean;
  readonly maxRequestBytes: number;
  readonly maxConnections: number;
  readonly connectTimeout: number;
  readonly firstByteTimeout: number | 'auto';
  readonly streamIdleTimeout: number;
  readonly engineStallTimeout: number;
  readonly requestTimeout: number;
  readonly slowStart: number;
  readonly drainDelay: number;
  readonly shutdownTimeout: number;
}

/**
 * Kubernetes removes a terminating pod from its Services within a few seconds; the pause that preStop hooks
 * commonly make for it is 5 s.
 */
const drainDelayDefaultSeconds = 5;
/** Below Kubernetes' grace period of 30 s, after which it kills: streams can still end with an error. */
const shutdownDefaultSeconds = 25;

const seconds = duration('s', { min: 0, max: timeoutSecondsMax });

export function routerCommand(): Command {
  const command = new Command('router')
    .description('an OpenAI-compatible reverse proxy that sends each request to the right engine')
    .version(version, '--version', 'print the version')
    .optionsGroup('Listening:')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 for any', portOrAny, 8001)
    .option('--root-path <path>', 'prefix of all paths', rootPath, '')
    .option(
      '--admin-port <port>',
      'port of its own for health, metrics, views and the page, which are then not on --port (except health)',
      portOrAny,
    )
    .option('--admin-host <address>', 'address of the admin port (default: --host)')
    .optionsGroup('TLS:')
    .option(
      '--tls-cert <file>',
      'serve https with this certificate (PEM, with intermediate ones); read again when it changes',
    )
    .option('--tls-key <file>', 'key of that certificate (PEM)')
    .option(
      '--tls-client-ca <file>',
      'require certificates from clients, signed by these authorities (PEM)',
    )
    .addOption(new Option('--ssl-certfile <file>').hideHelp())
    .addOption(new Option('--ssl-keyfile <file>').hideHelp())
    .option(
      '--engine-tls-ca <file>',
      'authorities to trust for https engines and routers, instead of those that Node trusts (PEM)',
    )
    .option('--engine-tls-cert <file>', 'certificate that the router presents to them (PEM)')
    .option('--engine-tls-key <file>', 'key of that certificate (PEM)')
    .option(
      '--engine-tls-server-name <name>',
      'name that their certificates must have (default: the host of the URL)',
    )
    .optionsGroup('Engines:')
    .option(
      '--service-discovery <kind>',
      `how engines are found: ${[...namingFlags.keys()].join(', ')} (default: from the flag that names them)`,
      discovery,
    )
    .option('--static-backends <urls>', 'engine URLs, comma-separated', commaList)
    .option(
      '--static-models <models>',
      'model of each engine, for engines that do not list theirs',
      commaList,
    )
    .option(
      '--static-names <names>',
      'name of each engine in logs, headers and views (default: the model and a number with --static-models, else the address)',
      commaList,
    )
    .option('--static-aliases <pairs>', 'model aliases, as alias:model,…', commaList);
  for (const { flag, help } of discoveries) command.option(flag, help);
  command
    .option(
      '--dynamic-config-yaml <path>',
      'YAML file of settings that may change while the router runs; takes precedence over flags',
    )
    .option(
      '--dynamic-config-json <path>',
      'the same in JSON; mutually exclusive with --dynamic-config-yaml',
    )
    .option('--static-backend-health-checks', 'no effect: engines are always checked')
    .option(
      '--static-backend-health-check-interval <seconds>',
      'interval between health checks; a failed engine is checked every second',
      seconds,
      5,
    )
    .option(
      '--static-backend-health-check-timeout-seconds <seconds>',
      'timeout of a health check',
      seconds,
      3,
    )
    .optionsGroup('Routing:')
    .option(
      '--routing-logic <policy>',
      `how an engine is picked: ${policyNames.join(', ')}`,
      defaultPolicyName,
    )
    .option('--session-key <name>', 'header or body key that names a session');
  addPolicyFlags(command)
    .option(
      '--max-instance-failover-reroute-attempts <n>',
      'maximum number of other engines to try before the response starts',
      integer({ min: 0, max: 100 }),
      2,
    )
    .option(
      '--no-migration',
      'end a stream with its engine, instead of continuing it on another one',
    )
    .option(
      '--slow-start <seconds>',
      'time in which the share of an engine that has started, restarted or come back grows to a full one; 0 for none',
      seconds,
      slowStartSecondsDefault,
    )
    .optionsGroup('What the router knows of engines:')
    .option(
      '--engine-stats-interval <seconds>',
      'interval between scrapes of each engine’s /metrics (default: the policy’s own, else 5)',
      seconds,
    )
    .option(
      '--request-stats-window <seconds>',
      'window of request rates',
      duration('s', { min: 1, max: 86_400, isWhole: true }),
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
      `${optionalKvEvents.join(', ')}: assume that prompts sent to an engine are cached there, instead of following KV events`,
    )
    .addOption(
      new Option(
        '--tokenizer <[model=]source>',
        'where tokenizers come from, by which the router finds prompts among KV events: auto (embedded engines, ' +
          'folders on this machine, the cache of Hugging Face), hub (also downloads from huggingface.co), a folder, ' +
          'a hub id, or none; may be repeated for single models',
      )
        .argParser(tokenizerSource)
        .default({ standard: 'auto' }, 'auto'),
    )
    .option(
      '--engine-tokenize-timeout <seconds>',
      'how long a pick may wait for the /tokenize of an engine if the router has no tokenizer; 0 never asks an engine',
      seconds,
      0,
    )
    .option(
      '--router-peers <urls>',
      'other routers in front of the same engines, comma-separated; routers share what they send, and a host ' +
        'name stands for all its addresses. SPILLWAY_ROUTER_PEERS_KEY in the environment is their shared key',
      commaList,
    )
    .optionsGroup('Access:')
    .option(
      '--api-key <key>',
      'bearer token that clients must send (default: SPILLWAY_ROUTER_API_KEY, which process listings do not show)',
    )
    .option(
      '--forward-authorization',
      'forward the clients’ Authorization header to engines (default: only if neither the router nor the engines have a key)',
    )
    .option('--no-forward-authorization', 'do not forward it')
    .option(
      '--allowed-origins <json>',
      'origins whose pages may use the router, e.g. ["*"] (default: none)',
      jsonList,
    )
    .option(
      '--allowed-methods <json>',
      'methods that these pages may use (default: ["*"])',
      jsonList,
    )
    .option(
      '--allowed-headers <json>',
      'headers that these pages may send (default: ["*"])',
      jsonList,
    )
    .option('--allow-credentials', 'let these pages send credentials')
    .option(
      '--allowed-hosts <names>',
      'host names under which views are served, comma-separated (default: any; with a loopback --host, those of this machine)',
      commaList,
    )
    .optionsGroup('Responses and page:')
    .option(
      '--no-pick-header',
      'omit the x-spillway-pick response header, which says why an engine was picked',
    )
    .option('--no-dashboard', 'do not serve the web page')
    .optionsGroup('Limits:')
    .option(
      '--max-request-bytes <bytes>',
      'maximum size of a request body; larger ones get status 413',
      byteSize(),
      64 * 1_048_576,
    )
    .option(
      '--max-buffered-request-bytes <bytes>',
      'maximum size of all buffered request bodies; beyond it requests get status 503',
      byteSize(),
      1024 * 1_048_576,
    )
    .option(
      '--max-connections <n>',
      'maximum number of client connections',
      positiveInteger,
      16_384,
    )
    .optionsGroup('Overload:');
  addAdmissionFlags(command).optionsGroup('Timeouts:');
  addTimeoutFlags(command)
    .option(
      '--drain-delay <seconds>',
      'after SIGTERM, how long requests are still accepted while /health responds with 503, so that load balancers notice; 0 after Ctrl-C',
      seconds,
      drainDelayDefaultSeconds,
    )
    .option(
      '--shutdown-timeout <seconds>',
      'how long after SIGTERM or Ctrl-C requests in flight may take to finish, the drain delay included; then they end with an error',
      seconds,
      shutdownDefaultSeconds,
    )
    .action(run);
  addLogFlags(command.optionsGroup('Log:'));
  // uvicorn's names, which vLLM has too.
  for (const [name, option] of [
    ['ssl-certfile', 'tlsCert'],
    ['ssl-keyfile', 'tlsKey'],
  ] as const) {
    command.on(`option:${name}`, (file: string) => command.setOptionValue(option, file));
  }
  for (const [flag, why] of Object.entries(refusedRouterFlags)) {
    command.addOption(new Option(`--${flag} [value]`).hideHelp());
    command.on(`option:${flag}`, () => {
      throw new InputError(`--${flag} does not work here: ${why}.`);
    });
  }
  return command;
}

/** Adds the flags of the table that the values file has too. */
function addTimeoutFlags(command: Command): Command {
  for (const { flag, help, default: standard } of routerTimeouts) {
    const parse = (text: string) => (standard === 'auto' && text === 'auto' ? text : seconds(text));
    command.option(`${flag} <seconds>`, help, parse, standard);
  }
  return command;
}

/** 0 means none. */
function deadline(flagSeconds: number): number {
  return flagSeconds === 0 ? Number.POSITIVE_INFINITY : flagSeconds;
}

/** Policies that follow KV events by default. */
const optionalKvEvents = policies
  .filter(({ consumes }) => consumes.kvEvents === 'optional')
  .map(({ name }) => name);

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
  const policyParameters = policyParametersFrom(flags);
  for (const parameter of unusedParameters(flags.routingLogic, policyParameters)) {
    log.warning(unusedFlagText(parameter, '--routing-logic', flags.routingLogic));
  }
  const router = await startRouter({
    host: flags.host,
    port: flags.port,
    rootPath: flags.rootPath,
    ...listeners(flags),
    ...engines(flags, log),
    aliases: listedAliases(flags.staticAliases ?? [], listFlags),
    policy: flags.routingLogic,
    sessionKey: flags.sessionKey,
    policyParameters,
    apiKey: flags.apiKey ?? secretFrom('SPILLWAY_ROUTER_API_KEY'),
    engineApiKey: secretFrom('VLLM_API_KEY'),
    forwardAuthorization: flags.forwardAuthorization,
    reroutesMax: flags.maxInstanceFailoverRerouteAttempts,
    migration: flags.migration,
    slowStartSeconds: flags.slowStart,
    pickHeader: flags.pickHeader,
    admission: admissionFrom(flags),
    healthIntervalMs: flags.staticBackendHealthCheckInterval * 1000,
    healthTimeoutMs: flags.staticBackendHealthCheckTimeoutSeconds * 1000,
    statsIntervalMs:
      flags.engineStatsInterval === undefined ? undefined : flags.engineStatsInterval * 1000,
    requestStatsWindowSeconds: flags.requestStatsWindow,
    kvEvents: flags.kvEvents,
    kvEventSources: flags.kvEventSource,
    tokenizers: flags.tokenizer,
    engineTokenizeTimeoutMs: flags.engineTokenizeTimeout * 1000,
    peers: peers(flags.routerPeers ?? []),
    server: {
      requestBytesMax: flags.maxRequestBytes,
      bufferedRequestBytesMax: flags.maxBufferedRequestBytes,
      connectionsMax: flags.maxConnections,
    },
    upstream: { connectTimeoutMs: flags.connectTimeout * 1000 },
    deadlines: {
      firstByteSeconds:
        flags.firstByteTimeout === 'auto' ? 'predicted' : deadline(flags.firstByteTimeout),
      streamIdleSeconds: deadline(flags.streamIdleTimeout),
      engineStallSeconds: deadline(flags.engineStallTimeout),
      totalSeconds: deadline(flags.requestTimeout),
    },
    ...(flags.dashboard ? { webpage: await loadWebpage() } : {}),
    log,
  });
  // Watches signals before the program is known to be ready and can be stopped.
  const signals = watchStopSignals();
  process.stdout.write(`router: ${router.url}\n`);
  if (router.adminUrl !== undefined) process.stdout.write(`admin: ${router.adminUrl}\n`);
  const signal = await stopped(signals);
  endOnHurry(signals);
  const delaySeconds = signal === 'SIGTERM' ? Math.min(flags.drainDelay, flags.shutdownTimeout) : 0;
  if (delaySeconds > 0) {
    log.info(`${signal}: /health fails from now on, requests are accepted for ${delaySeconds} s`);
    router.retire();
    await sleep(delaySeconds * 1000);
  }
  log.info(`${signal}: finishing the requests in flight; press Ctrl-C again to stop at once`);
  await router.close((flags.shutdownTimeout - delaySeconds) * 1000);
}

/** @throws {InputError} If a flag lacks the one that it belongs to. */
function listeners(
  flags: Flags,
): Pick<RouterOptions, 'admin' | 'tls' | 'engineTls' | 'cors' | 'allowedHosts'> {
  const { adminPort, adminHost, tlsCert, tlsKey, tlsClientCa } = flags;
  if (adminHost !== undefined && adminPort === undefined) {
    throw new InputError('--admin-host needs --admin-port.');
  }
  const hasTls = (tlsCert ?? tlsKey ?? tlsClientCa) !== undefined;
  const engineTls = {
    ...{ ca: flags.engineTlsCa, cert: flags.engineTlsCert, key: flags.engineTlsKey },
    serverName: flags.engineTlsServerName,
  };
  const hasEngineTls = Object.values(engineTls).some((value) => value !== undefined);
  const { allowedOrigins, allowedMethods, allowedHeaders, allowCredentials, allowedHosts } = flags;
  return {
    admin: adminPort === undefined ? undefined : { port: adminPort, host: adminHost },
    tls: hasTls ? { cert: tlsCert, key: tlsKey, ca: tlsClientCa } : undefined,
    engineTls: hasEngineTls ? engineTls : undefined,
    cors: { allowedOrigins, allowedMethods, allowedHeaders, allowCredentials },
    allowedHosts,
  };
}

/** A list as vLLM's flags have it, or one text. */
function jsonList(text: string): readonly string[] {
  if (!text.startsWith('[')) return commaList(text);
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list;
  } catch {
    // Reported below.
  }
  throw new InputError(`A list of texts in JSON is expected, such as ["*"], not ${text}.`);
}

const listFlags = {
  backends: '--static-backends',
  models: '--static-models',
  aliases: '--static-aliases',
  engineNames: '--static-names',
};

/** For each kind of discovery, the flag that names its engines. */
const namingFlags: ReadonlyMap<string, string> = new Map([
  ['static', '--static-backends'],
  ...discoveries.map(({ kind, flag }) => [kind, new Option(flag).long as string] as const),
]);

/** @throws {InputError} If no flag, or more than one, names the engines. */
function engines(
  flags: Flags,
  log: Logger,
): Pick<RouterOptions, 'engines' | 'discovery' | 'dynamicConfig'> {
  const { staticBackends, staticModels, staticNames } = flags;
  const { dynamicConfigYaml, dynamicConfigJson } = flags;
  if (dynamicConfigYaml !== undefined && dynamicConfigJson !== undefined) {
    throw new InputError('--dynamic-config-yaml and --dynamic-config-json exclude each other.');
  }
  if (staticNames !== undefined && staticBackends === undefined) {
    throw new InputError('--static-names names the engines of --static-backends: give both.');
  }
  const path = dynamicConfigYaml ?? dynamicConfigJson;
  const dynamicConfig = path === undefined ? undefined : { path };
  const given = [
    ...(staticBackends === undefined ? [] : [{ kind: 'static', open: undefined }]),
    ...discoveries.flatMap(({ kind, flag, open }) => {
      const argument = (flags as unknown as Record<string, string>)[
        new Option(flag).attributeName()
      ];
      return argument === undefined ? [] : [{ kind, open: () => open(argument, log) }];
    }),
  ];
  const flagOf = (kind: string) => namingFlags.get(kind) as string;
  if (given.length > 1) {
    const names = given.map(({ kind }) => flagOf(kind)).join(' and ');
    throw new InputError(`${names} exclude each other: give one of them.`);
  }
  const [source] = given;
  const discovery = flags.serviceDiscovery ?? source?.kind ?? 'static';
  if (source !== undefined && source.kind !== discovery) {
    const [needed, other] = [flagOf(discovery), flagOf(source.kind)];
    throw new InputError(`--service-discovery ${discovery} needs ${needed}, not ${other}.`);
  }
  // The dynamic configuration may name the engines of a static list.
  if (source === undefined && !(discovery === 'static' && dynamicConfig)) {
    throw new InputError(`No engines are named: give ${flagOf(discovery)}.`);
  }
  const list = () =>
    namedByModel(listedEngines(staticBackends ?? [], staticModels, listFlags, staticNames));
  return { engines: source?.open?.() ?? list(), discovery, dynamicConfig };
}

function peers(urls: readonly string[]): PeerOptions | undefined {
  if (urls.length === 0) return undefined;
  return { urls, key: secretFrom('SPILLWAY_ROUTER_PEERS_KEY') };
}

/** Reads a secret from the environment, because every user of the machine can read the flags of a process. */
function secretFrom(variable: string): string | undefined {
  // A key from a file often ends with a line end.
  return process.env[variable]?.trim() || undefined;
}

function kvEventSource(
  text: string,
  sources: ReadonlyMap<string, KvEventAddress>,
): ReadonlyMap<string, KvEventAddress> {
  const [, url, endpoint, replayEndpoint] =
    /^(https?:\/\/[^=]+)=([^,]+)(?:,(.+))?$/.exec(text) ?? [];
  if (url === undefined || endpoint === undefined) {
    throw new InputError(
      `--kv-event-source must be URL=ENDPOINT[,REPLAY_ENDPOINT], such as ` +
        `http://127.0.0.1:8000=tcp://127.0.0.1:5557, not "${text}".`,
    );
  }
  return new Map([...sources, [url.replace(/\/+$/, ''), { endpoint, replayEndpoint }]]);
}

/** @throws {InputError} If the model or the source is empty. */
function tokenizerSource(text: string, before: TokenizerSources): TokenizerSources {
  const [, model, source = ''] = /^(?:([^=]*)=)?(.+)$/.exec(text) ?? [];
  if (source === '' || model === '') {
    throw new InputError(
      `--tokenizer must be SOURCE or MODEL=SOURCE, such as auto, hub, a folder or Qwen/Qwen3-8B, not "${text}".`,
    );
  }
  if (model === undefined) return { ...before, standard: source };
  return { ...before, byModel: new Map([...(before.byModel ?? []), [model, source]]) };
}

function discovery(text: string): string {
  if (namingFlags.has(text)) return text;
  const reason = text === 'k8s' ? `: ${refusedRouterFlags['k8s-namespace']}` : '';
  throw new InputError(
    `--service-discovery must be one of ${[...namingFlags.keys()].join(', ')}, not "${text}"${reason}.`,
  );
}

function rootPath(text: string): string {
  const path = text.replace(/\/+$/, '');
  if (path === '' || path.startsWith('/')) return path;
  throw new InputError(`--root-path must begin with "/", not "${text}".`);
}
