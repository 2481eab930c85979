// `spillway router`: the router as one process, with the flags of production-stack's router.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { readPlanFile, startRouter } from '../../apps/router/index.ts';
import { routerTimeouts, timeoutSecondsMax } from '../../core/attempts/index.ts';
import { InputError, version } from '../../core/base/index.ts';
import {
  checkPolicyName,
  defaultPolicyName,
  policyNames,
  rolePolicyNames,
  slowStartSecondsDefault,
  unusedParameters,
} from '../../core/routing/index.ts';
import { watchLifeline } from '../../io/lifeline/index.ts';
import { isLoopback } from '../../io/listen/index.ts';
import { createLogger, type Logger } from '../../io/log/index.ts';
import { endOnHurry, stopped, watchStopSignals } from '../../io/signals/index.ts';
import { loadWebpage, type WebpageFile, webpageDirectory } from '../../io/webpage/index.ts';
import { type AdmissionFlags, addAdmissionFlags, admissionFrom } from '../admission-flags.ts';
import { integer, number, positiveInteger } from '../arguments/numbers.ts';
import { byteSize, duration } from '../arguments/quantities.ts';
import { addHedgeFlags, type HedgeFlags, hedgingFrom } from '../hedge-flags.ts';
import { addLogFlags, type LogFlags } from '../log-flags.ts';
import { addPolicyFlags, policyParametersFrom, unusedFlagText } from '../policy-flags.ts';
import {
  type AccessFlags,
  accessFrom,
  addAccessFlags,
  tenantNote,
} from '../router/access-flags.ts';
import {
  addDisaggregationFlags,
  type DisaggregationFlags,
  disaggregationFrom,
  pickingPolicies,
} from '../router/disaggregation-flags.ts';
import {
  addDiscoveryFlags,
  checkDiscovery,
  type DiscoveryFlags,
  discoveryFrom,
} from '../router/discovery-flags.ts';
import {
  addKnowledgeFlags,
  type KnowledgeFlags,
  knowledgeFrom,
} from '../router/knowledge-flags.ts';
import { addListenerFlags, type ListenerFlags, listenersFrom } from '../router/listener-flags.ts';
import { addLmcacheFlags, type LmcacheFlags, lmcacheFrom } from '../router/lmcache-flags.ts';
import { UpstreamCommand } from '../router/upstream-arguments.ts';
import { addTraceFlags, type TraceFlags, tracingFrom } from '../trace-flags.ts';
import { boundYoungGeneration, keepYoungGeneration } from '../young-generation.ts';

interface Flags
  extends ListenerFlags,
    DiscoveryFlags,
    DisaggregationFlags,
    KnowledgeFlags,
    LmcacheFlags,
    AccessFlags,
    AdmissionFlags,
    HedgeFlags,
    TraceFlags,
    LogFlags {
  readonly sessionKey?: string;
  readonly maxInstanceFailoverRerouteAttempts: number;
  readonly migration: boolean;
  readonly maxBufferedRequestBytes: number;
  readonly memoryBudget: number | undefined;
  readonly pickHeader: boolean | undefined;
  readonly dashboard: boolean;
  readonly plan?: string;
  readonly gateMax?: number;
  readonly maxRequestBytes: number;
  readonly maxConnections: number;
  readonly connectTimeout: number;
  readonly firstByteTimeout: number | 'auto';
  readonly streamIdleTimeout: number;
  readonly engineStallTimeout: number;
  readonly engineWaitTimeout: number;
  readonly requestTimeout: number;
  readonly sseKeepAliveInterval: number;
  readonly slowStart: number;
  readonly drainDelay: number;
  readonly shutdownTimeout: number;
  readonly logStats?: boolean;
  readonly logStatsInterval: number;
}

/**
 * Kubernetes removes a terminating pod from its Services within a few seconds; the pause that preStop hooks
 * commonly make for it is 5 s.
 */
const drainDelayDefaultSeconds = 5;
/** Below Kubernetes' grace period of 30 s, after which it kills: streams can still end with an error. */
const shutdownDefaultSeconds = 25;

/** As upstream's router. */
const serviceNameDefault = 'vllm-router';

/** As upstream's router. */
const logStatsDefaultSeconds = 10;

const seconds = duration('s', { min: 0, max: timeoutSecondsMax });

export function routerCommand(): UpstreamCommand {
  const command = new UpstreamCommand('router')
    .description(
      'Run the router: an OpenAI-compatible reverse proxy that sends each request to the engine that is expected to respond first.',
    )
    .version(version, '--version', 'print the version');
  addListenerFlags(command);
  addDiscoveryFlags(command)
    .optionsGroup('Routing:')
    .option(
      '--routing-logic <policy>',
      `how an engine is picked: ${[...policyNames, ...rolePolicyNames].join(', ')}`,
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
      '--slow-start <duration>',
      'time in which the share of an engine that has started, restarted or come back grows to a full one; 0 for none',
      seconds,
      slowStartSecondsDefault,
    );
  addLmcacheFlags(addKnowledgeFlags(addDisaggregationFlags(command)));
  addAccessFlags(command)
    .optionsGroup('Responses and page:')
    .option(
      '--pick-header',
      'tell clients why an engine was picked (header x-spillway-pick) and the URLs of engines (default: only if the router listens on a loopback --host and asks for no key)',
    )
    .option('--no-pick-header', 'tell clients the names of engines and nothing else')
    .option('--no-dashboard', 'do not serve the web page')
    .option(
      '--plan <file>',
      'file of "spillway plan --json"; the page shows it beside what the router measures',
    )
    .option(
      '--gate-max <share>',
      'highest P99 of the KV cache utilization that the gate on the page passes (default: that of the plan, else 0.92)',
      number({ above: 0, max: 1 }),
    )
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
      '--memory-budget <bytes>',
      'maximum memory held for clients: request bodies, unread responses, events in transit and streams that may move; when it is full, streams stop being movable, then clients that are behind are disconnected, then requests get status 503 (default: half of what the container or machine has beyond 192 MiB, at most 2 GiB)',
      byteSize({ min: 1_048_576 }),
    )
    .option(
      '--max-connections <n>',
      'maximum number of client connections',
      positiveInteger,
      16_384,
    )
    .optionsGroup('Overload:');
  addHedgeFlags(addAdmissionFlags(command)).optionsGroup('Timeouts:');
  addTimeoutFlags(command)
    .option(
      '--drain-delay <duration>',
      'after SIGTERM, how long requests are still accepted while /health responds with 503, so that load balancers notice; 0 after Ctrl-C',
      seconds,
      drainDelayDefaultSeconds,
    )
    .option(
      '--shutdown-timeout <duration>',
      'how long after SIGTERM or Ctrl-C requests in flight may take to finish, the drain delay included; then they end with an error',
      seconds,
      shutdownDefaultSeconds,
    )
    .action(run);
  addTraceFlags(command, serviceNameDefault);
  addLogFlags(command.optionsGroup('Log:'))
    .option('--log-stats', 'log the figures of each engine, in one line per interval')
    .option(
      '--log-stats-interval <duration>',
      'interval of --log-stats',
      duration('s', { min: 1, max: timeoutSecondsMax }),
      logStatsDefaultSeconds,
    );
  command.addOption(new Option('--engine-tls-insecure [value]').hideHelp());
  command.on('option:engine-tls-insecure', () => {
    throw new InputError(
      '--engine-tls-insecure does not work here: engines are always checked; name their authority, or a self-signed certificate itself, with --engine-tls-ca.',
    );
  });
  return command.addVainFlags();
}

/** Adds the flags of the table that the values file has too. */
function addTimeoutFlags(command: Command): Command {
  for (const { flag, help, default: standard } of routerTimeouts) {
    const parse = (text: string) => (standard === 'auto' && text === 'auto' ? text : seconds(text));
    command.option(`${flag} <duration>`, help, parse, standard);
  }
  return command;
}

/** 0 means none. */
function deadline(flagSeconds: number): number {
  return flagSeconds === 0 ? Number.POSITIVE_INFINITY : flagSeconds;
}

/** The files of the page; none, with a warning, if there is no page. */
async function webpage(log: Logger): Promise<ReadonlyMap<string, WebpageFile>> {
  const page = await webpageDirectory();
  if ('directory' in page) return loadWebpage(page.directory);
  log.warning(`The router serves no web page: ${page.problem}.`);
  return new Map();
}

/** @throws {InputError} If flags contradict each other, or one lacks another. Reads nothing outside. */
export function checkTogether(flags: Flags): void {
  checkPolicyName(flags.routingLogic);
  listenersFrom(flags);
  checkDiscovery(flags);
  knowledgeFrom(flags);
  lmcacheFrom(flags, flags.host);
  disaggregationFrom(flags);
  admissionFrom(flags);
  hedgingFrom(flags);
}

/** Whether all clients are programs of this machine that need no key. */
function isPrivate(host: string, { apiKey, apiKeyFile }: ReturnType<typeof accessFrom>): boolean {
  return isLoopback(host) && apiKey === undefined && apiKeyFile === undefined;
}

async function run(flags: Flags, command: UpstreamCommand): Promise<void> {
  boundYoungGeneration();
  keepYoungGeneration();
  watchLifeline();
  const log = createLogger({
    stream: process.stderr,
    level: flags.logLevel,
    format: flags.logFormat,
  });
  for (const { level, text } of command.notes.values()) log[level](text);
  const policyParameters = policyParametersFrom(flags);
  const picking = pickingPolicies(flags);
  for (const parameter of unusedParameters(picking, policyParameters)) {
    log.warning(unusedFlagText(parameter, '--routing-logic', flags.routingLogic));
  }
  if (flags.routingLogic === 'session' && flags.sessionKey === undefined) {
    log.warning(
      '--routing-logic session without --session-key: no request has a session, and each goes to the engine with the fewest; name the header or body key that clients send, such as x-user-id',
    );
  }
  const access = accessFrom(flags);
  const note = tenantNote(access);
  if (note !== undefined) log.warning(note);
  const router = await startRouter({
    ...listenersFrom(flags),
    ...discoveryFrom(flags, log),
    ...knowledgeFrom(flags),
    ...lmcacheFrom(flags, flags.host),
    ...access,
    policy: flags.routingLogic,
    disaggregation: disaggregationFrom(flags),
    sessionKey: flags.sessionKey,
    policyParameters,
    reroutesMax: flags.maxInstanceFailoverRerouteAttempts,
    migration: flags.migration,
    slowStartSeconds: flags.slowStart,
    pickHeader: flags.pickHeader ?? isPrivate(flags.host, access),
    admission: admissionFrom(flags),
    hedging: hedgingFrom(flags),
    memoryBudgetBytes: flags.memoryBudget,
    server: {
      requestBytesMax: flags.maxRequestBytes,
      bufferedRequestBytesMax: flags.maxBufferedRequestBytes,
      connectionsMax: flags.maxConnections,
    },
    upstream: { connectTimeoutMs: flags.connectTimeout * 1000 },
    tracing: tracingFrom(flags, serviceNameDefault, log),
    sseKeepAliveSeconds: flags.sseKeepAliveInterval,
    deadlines: {
      firstByteSeconds:
        flags.firstByteTimeout === 'auto' ? 'predicted' : deadline(flags.firstByteTimeout),
      streamIdleSeconds: deadline(flags.streamIdleTimeout),
      engineStallSeconds: deadline(flags.engineStallTimeout),
      engineWaitSeconds: flags.engineWaitTimeout,
      totalSeconds: deadline(flags.requestTimeout),
    },
    plan: flags.plan === undefined ? undefined : await readPlanFile(flags.plan),
    gateMax: flags.gateMax,
    logStatsSeconds: flags.logStats ? flags.logStatsInterval : undefined,
    ...(flags.dashboard ? { webpage: await webpage(log) } : {}),
    log,
  });
  // Watches signals before the program is known to be ready and can be stopped.
  const signals = watchStopSignals();
  process.stdout.write(`router: ${router.url}\n`);
  if (router.adminUrl !== undefined) process.stdout.write(`admin: ${router.adminUrl}\n`);
  if (router.lmcacheCoordinatorUrl !== undefined) {
    process.stdout.write(`lmcache coordinator: ${router.lmcacheCoordinatorUrl}\n`);
  }
  for (const endpoint of router.lmcacheEndpoints) {
    process.stdout.write(`lmcache controller: ${endpoint}\n`);
  }
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
