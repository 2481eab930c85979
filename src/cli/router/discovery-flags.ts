// How the router finds its engines and checks them.
import { type Command, Option } from 'commander';
import {
  listedAliases,
  listedEngines,
  type RouterOptions,
  refusedRouterFlags,
} from '../../apps/router/index.ts';
import { timeoutSecondsMax } from '../../core/attempts/index.ts';
import { commaList, InputError } from '../../core/base/index.ts';
import { discoveries, namedByModel } from '../../io/endpoints/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { duration } from '../arguments/quantities.ts';

export interface DiscoveryFlags {
  readonly serviceDiscovery?: string;
  readonly staticBackends?: readonly string[];
  readonly staticModels?: readonly string[];
  readonly staticNames?: readonly string[];
  readonly staticAliases?: readonly string[];
  readonly dynamicConfigYaml?: string;
  readonly dynamicConfigJson?: string;
  readonly staticBackendHealthCheckInterval: number;
  readonly staticBackendHealthCheckTimeoutSeconds: number;
}

const seconds = duration('s', { min: 0, max: timeoutSecondsMax });

export function addDiscoveryFlags(command: Command): Command {
  command
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
  return command
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
    );
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
export function discoveryFrom(
  flags: DiscoveryFlags,
  log: Logger,
): Pick<
  RouterOptions,
  'engines' | 'aliases' | 'discovery' | 'dynamicConfig' | 'healthIntervalMs' | 'healthTimeoutMs'
> {
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
  return {
    engines: source?.open?.() ?? list(),
    aliases: listedAliases(flags.staticAliases ?? [], listFlags),
    ...{ discovery, dynamicConfig },
    healthIntervalMs: flags.staticBackendHealthCheckInterval * 1000,
    healthTimeoutMs: flags.staticBackendHealthCheckTimeoutSeconds * 1000,
  };
}

function discovery(text: string): string {
  if (namingFlags.has(text)) return text;
  const reason = text === 'k8s' ? `: ${refusedRouterFlags['k8s-namespace']}` : '';
  throw new InputError(
    `--service-discovery must be one of ${[...namingFlags.keys()].join(', ')}, not "${text}"${reason}.`,
  );
}
