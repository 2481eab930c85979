// The services of a stack on its hosts: engines, then the router, as systemd units with their files.
import { InputError } from '../base/index.ts';
import {
  type Backend,
  type CachePorts,
  cacheFlags,
  embeddedEngineFlags,
  engineEnvironment,
  keysInEnvironment,
  type ListenAt,
  planEngines,
  routerEnvironment,
  routerFlags,
  vllmFlags,
} from '../launch/index.ts';
import { publishesWhereChosen } from '../layout/index.ts';
import type { Values } from '../values/index.ts';
import { environmentText } from './environment-file.ts';
import type { HostFacts } from './host-facts.ts';
import { type Host, listenAddress, urlHost } from './hosts.ts';
import { type PlacedEngine, placeEngines } from './placement.ts';
import {
  type HostFile,
  type RecordedService,
  releaseFolder,
  type ServiceRole,
  unitName,
  unitPath,
} from './release-files.ts';
import { type ServiceUnit, unitText } from './unit-file.ts';

/** What one host shall have. */
export interface WantedHost {
  readonly host: Host;
  readonly files: readonly HostFile[];
  readonly services: readonly RecordedService[];
}

export interface WantedStack {
  /** In the order of the hosts. */
  readonly hosts: readonly WantedHost[];
  /** Undefined without a router. */
  readonly routerUrl: string | undefined;
}

export interface StackInput {
  readonly release: string;
  readonly values: Values;
  readonly hosts: readonly { readonly host: Host; readonly facts: HostFacts }[];
  /** The environment of this program, which keys may refer to. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Stop times, as under "spillway up", and the drain of the router. */
const engineStopSeconds = 30;
/** Lets requests of an embedded engine end when it is stopped; later flags of the entry win. */
const drainFlags = ['--shutdown-timeout', String(engineStopSeconds - 5)];
const routerStopSeconds = 12;

/** Programs that the hosts of these values need; `all` on each host. */
export function neededPrograms(values: Values): {
  readonly all: readonly string[];
  readonly engines: readonly string[];
  readonly router: readonly string[];
} {
  const { container, spillwayCommand } = values.spillway.bareMetal;
  const all = ['systemctl', 'curl', 'base64'];
  if (container !== 'none') return { all: [...all, container], engines: [], router: [] };
  const kinds = new Set(planEngines(values).map(({ kind }) => kind));
  const spillway = spillwayCommand.slice(0, 1);
  return {
    all,
    engines: [
      ...(kinds.has('vllm') ? values.spillway.vllmCommand.slice(0, 1) : []),
      ...(kinds.has('embedded') ? spillway : []),
    ],
    router: values.routerSpec.enableRouter || values.cacheserverSpec.enabled ? spillway : [],
  };
}

/**
 * Returns the services and files of every host.
 *
 * @throws {InputError} If an engine finds no host, or a key cannot be used without Kubernetes.
 */
export function wantedStack(given: StackInput): WantedStack {
  const input = { ...given, values: keysInEnvironment(given.values) };
  const { values, hosts } = input;
  const { routerSpec, spillway } = values;
  checkKeys(values);
  const engines = planEngines(values);
  const local = engines.filter((engine) => engine.kind !== 'url');
  const rooms = hosts.map(({ host, facts }) => ({ host, gpus: facts.gpus }));
  const placed = placeEngines(local, rooms, spillway.bareMetal.firstPort);
  const isAlone =
    new Set(placed.map(({ host }) => host)).size <= 1 && placed[0]?.host === hosts[0]?.host;
  const backends = engines.map((engine): Backend => {
    if (engine.kind === 'url') return remoteBackend(engine);
    const place = placed.find((one) => one.engine === engine) as PlacedEngine;
    const address = isAlone ? '127.0.0.1' : urlHost(place.host);
    const { http, kvEvents, kvReplay } = place.ports;
    return {
      ...{ name: engine.name, model: engine.model, role: engine.role },
      url: `http://${address}:${http}`,
      kvEvents: publishesWhereChosen(engine.spec)
        ? { events: kvEvents, replay: kvReplay, host: address }
        : undefined,
    };
  });
  const [first] = hosts;
  const cache = first && cachePlace(values, first.host, isAlone);
  const services = placed.map((place) => engineService(input, place, isAlone, cache));
  if (cache !== undefined && first !== undefined)
    services.unshift(cacheService(input, first, cache));
  if (routerSpec.enableRouter && first !== undefined)
    services.push(routerService(input, first, backends));
  checkUnits(services);
  return {
    hosts: hosts.map(({ host }) => {
      const own = services.filter((service) => service.host === host);
      return {
        host,
        files: own.flatMap(({ files }) => files),
        services: own.map(({ recorded }) => recorded),
      };
    }),
    routerUrl: routerSpec.enableRouter && first ? routerUrl(values, first.host) : undefined,
  };
}

/** @throws {InputError} If a key is in a secret of Kubernetes, without which the stack would be open. */
function checkKeys({ servingEngineSpec, routerSpec }: Values): void {
  const keys = [
    ['servingEngineSpec.vllmApiKey', servingEngineSpec.vllmApiKey],
    ['routerSpec.apiKey', routerSpec.apiKey],
    ['routerSpec.peersKey', routerSpec.peersKey],
  ] as const;
  for (const [path, key] of keys) {
    if (typeof key === 'string' || !key?.secretName) continue;
    throw new InputError(
      `${path} names the Kubernetes secret "${key.secretName}", which hosts do not have: write the key itself. It is stored on the hosts in files that only root can read.`,
    );
  }
}

/** @throws {InputError} If two services would have one unit. */
function checkUnits(services: readonly HostService[]): void {
  const taken = new Map<string, RecordedService>();
  for (const { recorded } of services) {
    const other = taken.get(recorded.unit);
    if (other !== undefined) {
      throw new InputError(
        `The ${titleOf(other)} and the ${titleOf(recorded)} would both be the unit ${recorded.unit}: rename the entry in servingEngineSpec.modelSpec.`,
      );
    }
    taken.set(recorded.unit, recorded);
  }
}

function titleOf({ role, name }: RecordedService): string {
  return role === 'engine' ? `engine "${name}"` : role;
}

interface HostService {
  readonly host: Host;
  readonly files: readonly HostFile[];
  readonly recorded: RecordedService;
}

function engineService(
  { release, values, hosts, environment }: StackInput,
  { engine, host, ports, gpus }: PlacedEngine,
  isAlone: boolean,
  cache: CachePlace | undefined,
): HostService {
  if (engine.certificate !== undefined) {
    throw new InputError(
      `servingEngineSpec.modelSpec "${engine.spec.name}": engines that serve https are not supported on bare metal; leave out --ssl-certfile.`,
    );
  }
  const listen: ListenAt = { host: isAlone ? '127.0.0.1' : listenAddress(host) };
  const { container, spillwayCommand } = values.spillway.bareMetal;
  const isVllm = engine.kind === 'vllm';
  const command = isVllm ? values.spillway.vllmCommand : [...spillwayCommand, 'engine'];
  const flags = isVllm
    ? vllmFlags(engine.spec, ports, container === 'none' ? command : ['serve'], {
        ...listen,
        cacheNodes: cache?.nodes,
      })
    : [
        ...drainFlags,
        ...embeddedEngineFlags(engine.spec, ports, values.cacheserverSpec, 1, listen),
      ];
  const variables = {
    ...engineEnvironment(values, engine.spec, environment, { cacheUrl: cache?.url }),
    ...(isVllm &&
      gpus.length > 0 &&
      container === 'none' && { CUDA_VISIBLE_DEVICES: gpus.join(',') }),
  };
  return service({
    ...{ release, values, host, name: engine.name, variables, flags, gpus },
    facts: factsOf(hosts, host),
    command: container === 'none' || !isVllm ? command : [],
    image: imageOf(values, engine),
    stopSeconds: engineStopSeconds,
    component: `engine ${engine.spec.name}`,
    role: 'engine',
    healthUrl: `http://${healthHost(listen.host)}:${ports.http}/health`,
  });
}

/** Where the cache server of a stack is. */
interface CachePlace {
  readonly listen: string;
  readonly ports: CachePorts;
  /** For LMCache. */
  readonly url: string;
  /** For Redis clients: HOST:PORT. */
  readonly nodes: string;
}

/** On the first host, with the ports below the engines'; undefined if the values do not ask for one. */
function cachePlace(values: Values, host: Host, isAlone: boolean): CachePlace | undefined {
  if (!values.cacheserverSpec.enabled) return undefined;
  const { firstPort } = values.spillway.bareMetal;
  const ports = { lm: firstPort - 3, resp: firstPort - 2, http: firstPort - 1 };
  const address = isAlone ? '127.0.0.1' : urlHost(host);
  const listen = isAlone ? '127.0.0.1' : listenAddress(host);
  return {
    ...{ listen, ports, url: `lm://${address}:${ports.lm}` },
    nodes: `${address}:${ports.resp}`,
  };
}

function cacheService(
  { release, values, hosts }: StackInput,
  { host }: { readonly host: Host },
  { listen, ports }: CachePlace,
): HostService {
  return service({
    ...{ release, values, host, name: 'cache', gpus: [], variables: {} },
    facts: factsOf(hosts, host),
    flags: ['--host', listen, ...cacheFlags(values, ports)],
    command: [...values.spillway.bareMetal.spillwayCommand, 'cache'],
    image: spillwayImage(values),
    stopSeconds: engineStopSeconds,
    component: 'cache server',
    role: 'cache server',
    healthUrl: `http://${healthHost(listen)}:${ports.http}/ready`,
  });
}

function routerService(
  { release, values, hosts }: StackInput,
  { host }: { readonly host: Host },
  backends: readonly Backend[],
): HostService {
  const { routerSpec, spillway } = values;
  const listen = routerListen(values, host);
  const at = { ...values, routerSpec: { ...routerSpec, host: listen } };
  const scheme = routerSpec.tls.cert === undefined ? 'http' : 'https';
  return service({
    ...{ release, values, host, name: 'router', gpus: [] },
    facts: factsOf(hosts, host),
    variables: routerEnvironment(values, backends),
    flags: routerFlags(at, backends),
    command: [...spillway.bareMetal.spillwayCommand, 'router'],
    image: spillwayImage(values),
    stopSeconds: routerStopSeconds + (routerSpec.drainDelay ?? 0),
    component: 'router',
    role: 'router',
    healthUrl: `${scheme}://${healthHost(listen)}:${routerSpec.containerPort}/health`,
  });
}

function service(of: {
  readonly release: string;
  readonly values: Values;
  readonly host: Host;
  readonly facts: HostFacts;
  readonly name: string;
  readonly command: readonly string[];
  readonly flags: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  readonly gpus: readonly number[];
  readonly image: string;
  readonly stopSeconds: number;
  readonly component: string;
  readonly role: ServiceRole;
  readonly healthUrl: string;
}): HostService {
  const { release, values, host, facts, name, flags, stopSeconds } = of;
  const { container } = values.spillway.bareMetal;
  const unit = unitName(release, name);
  const environmentFile = `${releaseFolder(release)}/${unit.replace(/\.service$/, '')}.env`;
  const common = {
    description: `${name} of the Spillway stack ${release}`,
    ...{ environmentFile, stopSeconds },
  };
  const run: ServiceUnit =
    container === 'none'
      ? {
          ...common,
          command: [pathOf(facts, of.command[0] ?? ''), ...of.command.slice(1), ...flags],
          cacheDirectory: unit.replace(/\.service$/, ''),
        }
      : { ...common, ...containerCommands(of, unit, environmentFile) };
  return {
    host,
    files: [
      {
        path: environmentFile,
        mode: '600',
        text: environmentText(of.variables, container !== 'none'),
      },
      { path: unitPath(unit), mode: '644', text: unitText(run) },
    ],
    recorded: { unit, name, component: of.component, role: of.role, healthUrl: of.healthUrl },
  };
}

/** The container shares the network of its host, and its IPC with none; vLLM's workers need shared memory. */
function containerCommands(
  { values, facts, image, command, flags, gpus, stopSeconds }: Parameters<typeof service>[0],
  unit: string,
  environmentFile: string,
) {
  const { container } = values.spillway.bareMetal;
  const program = pathOf(facts, container);
  const name = unit.replace(/\.service$/, '');
  const devices =
    container === 'podman'
      ? gpus.flatMap((gpu) => ['--device', `nvidia.com/gpu=${gpu}`])
      : gpus.length === 0
        ? []
        : ['--gpus', `"device=${gpus.join(',')}"`];
  return {
    command: [
      ...([
        program,
        'run',
        '--rm',
        '--name',
        name,
        '--network',
        'host',
        '--ipc',
        'private',
      ] as const),
      ...['--shm-size', '8g', '--env-file', environmentFile, ...devices],
      ...['--volume', `${name}:/root/.cache/huggingface`, image],
      // The image of Spillway starts "spillway", that of vLLM "vllm serve".
      ...command.slice(1),
      ...flags,
    ] as const,
    before: [program, 'rm', '--force', name] as const,
    stop: [program, 'stop', '--time', String(stopSeconds), name] as const,
    cacheDirectory: undefined,
  };
}

function imageOf(values: Values, { kind, spec }: PlacedEngine['engine']): string {
  if (kind === 'embedded') return spillwayImage(values);
  return `${spec.repository}:${spec.tag}`;
}

function spillwayImage({ spillway }: Values): string {
  const { repository, tag } = spillway.image;
  return `${repository}:${tag}`;
}

function pathOf({ programs }: HostFacts, program: string): string {
  return program.startsWith('/') ? program : (programs.get(program) ?? `/usr/bin/${program}`);
}

function factsOf(hosts: StackInput['hosts'], host: Host): HostFacts {
  return hosts.find((one) => one.host === host)?.facts as HostFacts;
}

/** `routerSpec.host`, unless it is the default, with which nobody else would reach the router. */
function routerListen({ routerSpec }: Values, host: Host): string {
  return routerSpec.host === '127.0.0.1' ? listenAddress(host) : routerSpec.host;
}

function routerUrl(values: Values, host: Host): string {
  const scheme = values.routerSpec.tls.cert === undefined ? 'http' : 'https';
  return `${scheme}://${urlHost(host)}:${values.routerSpec.containerPort}`;
}

function healthHost(listen: string): string {
  if (listen === '0.0.0.0' || listen === '::') return '127.0.0.1';
  return listen.includes(':') ? `[${listen}]` : listen;
}

function remoteBackend(engine: {
  readonly name: string;
  readonly url: string;
  readonly given?: string | undefined;
  readonly model: string | undefined;
  readonly role?: Backend['role'];
}): Backend {
  const { name, url, given, model, role } = engine;
  if (model === undefined) {
    throw new InputError(
      `servingEngineSpec.modelSpec "${name}" has urls and no modelURL: set it to the name of the model at ${url}.`,
    );
  }
  return { name, url, ...(given !== undefined && { given }), model, role };
}
