// The command line of the router in front of the engines of one stack.
import { admissionSettings, hedgeSettings, routerTimeoutFlags } from '../attempts/index.ts';
import { InputError, withoutCredentials } from '../base/index.ts';
import {
  type EngineRole,
  isDisaggregated,
  policyParameters,
  slowStartSecondsDefault,
} from '../routing/index.ts';
import { engineTlsSettings, listenerTlsSettings, type TlsSetting } from '../tls/index.ts';
import { policyParametersOf, type Values } from '../values/index.ts';
import { withoutClusterArguments } from './cluster-arguments.ts';
import { withoutLabels } from './engine-role.ts';
import { type ControllerPorts, controllerFlags } from './lmcache-controller.ts';

/** An engine as the router's flags describe it. */
export interface Backend {
  readonly name: string;
  readonly url: string;
  /** As the router gets it: with credentials, for example. @default url */
  readonly given?: string | undefined;
  readonly model: string;
  /** Undefined where engines do the whole of a request. */
  readonly role?: EngineRole | undefined;
  /** Ports of its KV events, if it publishes them. */
  readonly kvEvents?:
    | {
        readonly events: number;
        readonly replay: number;
        /** @default '127.0.0.1' */
        readonly host?: string;
      }
    | undefined;
}

/** Ports of a router beside that for clients. */
export interface RouterPorts {
  /** Loopback port for health, views and the page; undefined for that of clients. */
  readonly adminPort?: number | undefined;
  /** LMCache's controller; undefined for none. */
  readonly controller?: ControllerPorts | undefined;
}

/** Time that requests in flight get to finish when the stack stops; then they end with an error. */
const routerStopSeconds = 8;

/**
 * Arguments of `spillway router`: upstream's flags, static discovery over the given engines.
 *
 * Engines are scraped every second whatever `engineScrapeInterval` is, since its default of 15 s is
 * meant for a cluster and the live view shows what the router has scraped; `extraArgs` come last and win.
 *
 * @throws {InputError} If `extraArgs` move what "up" reads from the router.
 */
export function routerFlags(
  values: Values,
  backends: readonly Backend[],
  { adminPort, controller }: RouterPorts = {},
): string[] {
  const { routerSpec } = values;
  const { hbmUtilization } = values.spillway.thresholds;
  refuseOtherListeners(routerSpec.extraArgs);
  const kvSources = backends.flatMap(({ url, kvEvents }) =>
    kvEvents ? ['--kv-event-source', kvSource(url, kvEvents)] : [],
  );
  return [
    '--host',
    routerSpec.host,
    '--port',
    String(routerSpec.containerPort),
    '--service-discovery',
    'static',
    '--static-backends',
    // Users and passwords are in the environment.
    backends.map(({ url, given = url }) => withoutCredentials(given)).join(','),
    '--static-models',
    backends.map(({ model }) => model).join(','),
    '--static-names',
    routerNames(backends).join(','),
    '--routing-logic',
    routerSpec.routingLogic,
    ...roleFlags(values, backends),
    '--engine-stats-interval',
    '1',
    '--request-stats-window',
    String(routerSpec.requestStatsWindow),
    ...(routerSpec.sessionKey === '' ? [] : ['--session-key', routerSpec.sessionKey]),
    ...policyFlags(routerSpec),
    ...(routerSpec.rootPath === '' ? [] : ['--root-path', routerSpec.rootPath]),
    ...tlsFlags(listenerTlsSettings, routerSpec.tls),
    ...tlsFlags(engineTlsSettings, routerSpec.engineTls),
    ...(adminPort === undefined
      ? []
      : ['--admin-port', String(adminPort), '--admin-host', '127.0.0.1']),
    ...routerTimeoutFlags(routerSpec.timeouts),
    ...(routerSpec.migration ? [] : ['--no-migration']),
    ...kvSources,
    ...(controller === undefined ? [] : controllerFlags(values, controller)),
    ...routerSpec.tokenizer.flatMap((source) => ['--tokenizer', source]),
    ...(routerSpec.engineTokenizeTimeout === 0
      ? []
      : ['--engine-tokenize-timeout', String(routerSpec.engineTokenizeTimeout)]),
    ...sightFlags(routerSpec.pickHeader),
    ...(routerSpec.cacheSaltFrom === '' ? [] : ['--cache-salt-from', routerSpec.cacheSaltFrom]),
    ...(routerSpec.routerPeers.length === 0
      ? []
      : ['--router-peers', routerSpec.routerPeers.join(',')]),
    ...(values.spillway.dashboard ? [] : ['--no-dashboard']),
    ...(hbmUtilization === undefined ? [] : ['--gate-max', String(hbmUtilization)]),
    ...(routerSpec.slowStart === slowStartSecondsDefault
      ? []
      : ['--slow-start', String(routerSpec.slowStart)]),
    ...traceFlags(routerSpec.otel),
    ...changedFlags(admissionSettings, routerSpec.admission),
    ...changedFlags(hedgeSettings, routerSpec.hedging),
    '--drain-delay',
    String(routerSpec.drainDelay ?? 0),
    '--shutdown-timeout',
    String((routerSpec.drainDelay ?? 0) + routerStopSeconds),
    ...withoutLabels(withoutClusterArguments(routerSpec.extraArgs)),
  ];
}

/** Engines are labelled with their roles. @throws {InputError} If a role has no engine. */
function roleFlags({ routerSpec }: Values, backends: readonly Backend[]): string[] {
  const roles = backends.map(({ role }) => role);
  if (!isDisaggregated(routerSpec.routingLogic)) return [];
  for (const role of ['prefill', 'decode'] as const) {
    if (roles.includes(role)) continue;
    throw new InputError(
      `routerSpec.routingLogic ${routerSpec.routingLogic} needs engines that prefill and engines that decode; these values have none of ${role === 'prefill' ? 'the first' : 'the second'}.`,
    );
  }
  const { prefillPolicy, decodePolicy, remotePrefillTokensMin } = routerSpec.disaggregation;
  return [
    ...['--static-model-labels', roles.join(',')],
    ...['--prefill-model-labels', 'prefill', '--decode-model-labels', 'decode'],
    ...['--prefill-policy', prefillPolicy, '--decode-policy', decodePolicy],
    ...['--remote-prefill-tokens-min', String(remotePrefillTokensMin)],
  ];
}

function sightFlags(pickHeader: boolean | undefined): string[] {
  if (pickHeader === undefined) return [];
  return [pickHeader ? '--pick-header' : '--no-pick-header'];
}

/** As the chart passes them. */
function traceFlags({ endpoint, serviceName, secure }: Values['routerSpec']['otel']): string[] {
  if (endpoint === '') return [];
  const name = serviceName === '' ? [] : ['--otel-service-name', serviceName];
  return ['--otel-endpoint', endpoint, ...name, ...(secure ? ['--otel-secure'] : [])];
}

function kvSource(url: string, kvEvents: NonNullable<Backend['kvEvents']>): string {
  const { events, replay, host = '127.0.0.1' } = kvEvents;
  return `${url}=tcp://${host}:${events},tcp://${host}:${replay}`;
}

/** What "up" must know of the router to read it: these settings have keys of their own, or none. */
const listenerFlags =
  /^--(tls-cert|tls-key|tls-client-ca|ssl-certfile|ssl-keyfile|admin-port)(=|$)/;

function refuseOtherListeners(extraArgs: readonly string[]): void {
  const fault = listenerFault(extraArgs);
  if (fault !== undefined) throw new InputError(`routerSpec.extraArgs: ${fault}.`);
}

/** Returns what moves the router away from where "up" reaches it, as a clause without its full stop. */
export function listenerFault(extraArgs: readonly string[]): string | undefined {
  const found = extraArgs.find((argument) => listenerFlags.test(argument));
  if (found === undefined) return undefined;
  const instead = found.startsWith('--admin-port')
    ? 'Start "spillway router" with it instead'
    : 'Set routerSpec.tls instead';
  return `${found} does not work under "spillway up", which would not find the router. ${instead}`;
}

function tlsFlags<Key extends string>(
  settings: readonly TlsSetting<Key>[],
  given: { readonly [K in Key]?: string | undefined },
): string[] {
  return settings.flatMap(({ key, flag }) => {
    const value = given[key];
    return value === undefined ? [] : [flag, value];
  });
}

/** The engines' names as the router accepts them: without spaces and commas, each once. */
function routerNames(backends: readonly Backend[]): string[] {
  const taken = new Set<string>();
  return backends.map(({ name }) => {
    const clean = name.replace(/[^\w.:/@+-]+/g, '-');
    let unique = clean;
    for (let i = 2; taken.has(unique); i++) unique = `${clean}-${i}`;
    taken.add(unique);
    return unique;
  });
}

/** The settings of a table that differ from their defaults. */
function changedFlags<Key extends string>(
  settings: readonly { readonly key: Key; readonly flag: string; readonly default: number }[],
  given: Readonly<Record<Key, number>>,
): string[] {
  return settings.flatMap(({ key, flag, default: standard }) =>
    given[key] === standard ? [] : [flag, String(given[key])],
  );
}

/** The policy parameters that differ from their defaults. */
function policyFlags(routerSpec: Values['routerSpec']): string[] {
  const given = policyParametersOf(routerSpec);
  return policyParameters.flatMap(({ name, flag, default: standard }) => {
    const value = given[name];
    return value === undefined || value === standard ? [] : [flag, String(value)];
  });
}
