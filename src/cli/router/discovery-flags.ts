// How the router finds its engines and checks them.
import { type Command, Option } from 'commander';
import { listedAliases, listedEngines, type RouterOptions } from '../../apps/router/index.ts';
import { timeoutSecondsMax } from '../../core/attempts/index.ts';
import { commaList, engineAddress, InputError } from '../../core/base/index.ts';
import { discoveries, namedByModel } from '../../io/endpoints/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { duration } from '../arguments/quantities.ts';
import { secretFrom } from './secret-from.ts';

export interface DiscoveryFlags {
  readonly serviceDiscovery?: string;
  readonly staticBackends?: readonly string[];
  readonly staticModels?: readonly string[];
  readonly staticNames?: readonly string[];
  readonly staticModelLabels?: readonly string[];
  readonly staticAliases?: readonly string[];
  /** Only what it tells of the engines: there are none. */
  readonly externalProvidersConfig?: string;
  readonly dynamicConfigYaml?: string;
  readonly dynamicConfigJson?: string;
  readonly staticBackendHealthCheckInterval: number;
  readonly staticBackendHealthCheckTimeoutSeconds: number;
  readonly backendHealthCheckTimeoutSeconds?: number;
}

/** Variable with the URLs of engines of `--static-backends` that have a user and a password. */
const loginsVariable = 'SPILLWAY_ENGINE_URLS';

const seconds = duration('s', { min: 0, max: timeoutSecondsMax });

export function addDiscoveryFlags(command: Command): Command {
  command
    .optionsGroup('Engines:')
    .option(
      '--service-discovery <kind>',
      `how engines are found: ${[...namingFlags.keys()].join(', ')} (default: from the flag that names them)`,
      discovery,
    )
    .option(
      '--static-backends <urls>',
      `engine URLs, comma-separated; those with a user and a password may be in ${loginsVariable}, which process listings do not show`,
      commaList,
    )
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
  for (const { flags } of discoveries) {
    for (const { flag, help, standard } of flags) {
      command.option(flag, standard ? `${help} (default: ${standard})` : help);
    }
  }
  return command
    .option(
      '--dynamic-config-yaml <path>',
      'YAML file of settings that may change while the router runs; takes precedence over flags',
    )
    .option(
      '--dynamic-config-json <path>',
      'the same in JSON; mutually exclusive with --dynamic-config-yaml',
    )
    .option(
      '--static-backend-health-check-interval <duration>',
      'interval between health checks; a failed engine is checked every second',
      seconds,
      5,
    )
    .option(
      '--static-backend-health-check-timeout-seconds <duration>',
      'timeout of a health check',
      seconds,
      3,
    )
    .option(
      '--backend-health-check-timeout-seconds <duration>',
      'the same setting, by its name with --service-discovery k8s; takes precedence',
      seconds,
    );
}

const listFlags = {
  backends: '--static-backends',
  models: '--static-models',
  aliases: '--static-aliases',
  engineNames: '--static-names',
  labels: '--static-model-labels',
};

/** For each kind of discovery, the flag that names its engines; undefined if its name is enough. */
const namingFlags: ReadonlyMap<string, string | undefined> = new Map([
  ['static', '--static-backends'],
  ...discoveries.map(({ kind, flags: [first] }) => {
    const isNeeded = first.standard === undefined;
    return [kind, isNeeded ? (new Option(first.flag).long as string) : undefined] as const;
  }),
]);

/** @throws {InputError} If no flag, or more than one, names the engines. */
export function discoveryFrom(
  flags: DiscoveryFlags,
  log: Logger,
): Pick<
  RouterOptions,
  'engines' | 'aliases' | 'discovery' | 'dynamicConfig' | 'healthIntervalMs' | 'healthTimeoutMs'
> {
  const { discovery, isExternal, list, aliases } = checkDiscovery(
    withLogins(flags, secretFrom(loginsVariable)),
  );
  if (isExternal) log.warning(externalOnlyNote);
  const path = flags.dynamicConfigYaml ?? flags.dynamicConfigJson;
  const { backendHealthCheckTimeoutSeconds: timeout } = flags;
  return {
    engines: openSource(discovery, flags, log) ?? list,
    aliases,
    discovery,
    dynamicConfig: path === undefined ? undefined : { path },
    healthIntervalMs: flags.staticBackendHealthCheckInterval * 1000,
    healthTimeoutMs: 1000 * (timeout ?? flags.staticBackendHealthCheckTimeoutSeconds),
  };
}

/**
 * What the flags name, without a look at it.
 *
 * @throws {InputError} If no flag, or more than one, names the engines.
 */
export function checkDiscovery(flags: DiscoveryFlags) {
  checkPairs(flags);
  const { staticBackends, staticModels, staticNames, staticModelLabels } = flags;
  const given = [
    ...(staticBackends === undefined ? [] : [{ kind: 'static', flag: '--static-backends' }]),
    ...discoveries.flatMap(({ kind, flags: own }) => {
      const first = own.find(({ flag }) => argumentOf(flags, flag) !== undefined);
      return first === undefined ? [] : [{ kind, flag: new Option(first.flag).long as string }];
    }),
  ];
  if (given.length > 1) {
    const names = given.map(({ flag }) => flag).join(' and ');
    throw new InputError(`${names} exclude each other: give one of them.`);
  }
  const [source] = given;
  const isExternal = isExternalOnly(flags, source?.kind);
  const named = flags.serviceDiscovery === externalOnly ? undefined : flags.serviceDiscovery;
  const discovery = named ?? source?.kind ?? 'static';
  const needed = namingFlags.get(discovery);
  if (source !== undefined && source.kind !== discovery) {
    const instead =
      needed === undefined ? `excludes ${source.flag}` : `needs ${needed}, not ${source.flag}`;
    throw new InputError(`--service-discovery ${discovery} ${instead}.`);
  }
  // The dynamic configuration may name the engines of a static list.
  const isDynamic = (flags.dynamicConfigYaml ?? flags.dynamicConfigJson) !== undefined;
  const mayBeEmpty = discovery === 'static' && (isDynamic || isExternal);
  if (source === undefined && needed !== undefined && !mayBeEmpty) {
    throw new InputError(`No engines are named: give ${needed}.`);
  }
  const isListed = discoveries.every(({ kind }) => kind !== discovery);
  return {
    ...{ discovery, isExternal },
    list: isListed
      ? namedByModel(
          listedEngines(
            ...([staticBackends ?? [], staticModels, listFlags, staticNames] as const),
            staticModelLabels,
          ),
        )
      : [],
    aliases: listedAliases(flags.staticAliases ?? [], listFlags),
  };
}

/**
 * The flags with the credentials of a variable, for engines whose URLs have none.
 *
 * @throws {InputError} If it has the URL of no engine of the flags, or one without credentials.
 */
function withLogins(flags: DiscoveryFlags, logins: string | undefined): DiscoveryFlags {
  const { staticBackends } = flags;
  if (logins === undefined || staticBackends === undefined) return flags;
  const backends = staticBackends.map((given) => ({ given, ...engineAddress(given) }));
  const byUrl = new Map<string, string>();
  for (const given of commaList(logins)) {
    const { url, authorization } = engineAddress(given);
    const wrong =
      authorization === undefined
        ? 'without a user and a password'
        : 'which is no engine of --static-backends';
    if (authorization === undefined || backends.every((one) => one.url !== url)) {
      throw new InputError(
        `${loginsVariable} has ${url}, ${wrong}: it is for engines of --static-backends, as http://USER:PASSWORD@HOST:8000.`,
      );
    }
    byUrl.set(url, given);
  }
  return {
    ...flags,
    staticBackends: backends.map(({ given, url, authorization }) =>
      authorization === undefined ? (byUrl.get(url) ?? given) : given,
    ),
  };
}

/** @throws {InputError} For a flag without the one that it belongs to, or beside one that it excludes. */
function checkPairs(flags: DiscoveryFlags): void {
  const { staticBackends, staticNames, staticModelLabels } = flags;
  if (flags.dynamicConfigYaml !== undefined && flags.dynamicConfigJson !== undefined) {
    throw new InputError('--dynamic-config-yaml and --dynamic-config-json exclude each other.');
  }
  if (staticNames !== undefined && staticBackends === undefined) {
    throw new InputError('--static-names names the engines of --static-backends: give both.');
  }
  if (staticModelLabels !== undefined && staticBackends === undefined) {
    throw new InputError(
      '--static-model-labels labels the engines of --static-backends: give both.',
    );
  }
}

/** @returns Undefined for a static list. */
function openSource(discovery: string, flags: DiscoveryFlags, log: Logger) {
  const source = discoveries.find(({ kind }) => kind === discovery);
  const given = source?.flags.map(({ flag, standard = '' }) => argumentOf(flags, flag) ?? standard);
  return given && source?.open(given, log);
}

function argumentOf(flags: DiscoveryFlags, flag: string): string | undefined {
  return (flags as unknown as Record<string, string>)[new Option(flag).attributeName()];
}

/** Upstream's kind for routers that only forward to external providers, which this one does not. */
const externalOnly = 'external-only';
const externalOnlyNote =
  'External providers are not here, so this router has no engines and answers 404 to each request; name engines with --static-backends, or another --service-discovery.';

/** Upstream also chooses it if only the providers are given. @param kind Of the engines that are named. */
function isExternalOnly(flags: DiscoveryFlags, kind: string | undefined): boolean {
  if (kind !== undefined || flags.dynamicConfigYaml || flags.dynamicConfigJson) return false;
  const { serviceDiscovery, externalProvidersConfig } = flags;
  if (serviceDiscovery === externalOnly) return true;
  return serviceDiscovery === undefined && externalProvidersConfig !== undefined;
}

function discovery(text: string): string {
  if (namingFlags.has(text) || text === externalOnly) return text;
  throw new InputError(
    `--service-discovery must be one of ${[...namingFlags.keys()].join(', ')}, not "${text}".`,
  );
}
