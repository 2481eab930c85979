// The whole stack on this machine: engines and router as child processes, started and stopped in
// order.
import {
  type CachePorts,
  type ControllerPorts,
  type EnginePlan,
  type EnginePorts,
  planEngines,
  processGroups,
  routerKeyOf,
} from '../../core/launch/index.ts';
import {
  assertPortFree,
  freePorts,
  PinnedCertificate,
  type ProbeTls,
  Service,
} from '../../io/processes/index.ts';
import { backendOf, type ReachedBackend } from './backends.ts';
import { chooseEnginePorts } from './engine-ports.ts';
import {
  cacheNodes,
  cacheServices,
  cacheUrl,
  chooseCachePorts,
  chooseControllerPorts,
} from './local-cache.ts';
import { choosePrometheusPort, type LocalPrometheus, localPrometheus } from './local-prometheus.ts';
import { assertPrograms } from './missing-programs.ts';
import { RouterClient } from './router-client.ts';
import { routerSight } from './router-sight.ts';
import type { EngineDetails, ProcessSnapshot, StackSnapshot } from './snapshot.ts';
import { engineService, routerService, type ServiceOptions } from './stack-services.ts';

export interface StackHooks {
  /** A line that a child printed. */
  onLine(name: string, line: string): void;
  /** A child changed state; see `ProcessSnapshot`. */
  onState(process: ProcessSnapshot): void;
}

export interface StackOptions extends ServiceOptions {
  readonly hooks: StackHooks;
}

interface Member {
  readonly backend: ReachedBackend;
  readonly engine: EnginePlan;
  readonly service: Service | undefined;
}

export class RunningStack {
  /** Base URL of the router, if there is one. */
  readonly url: string;
  /** Base URL of its health, views and page. */
  readonly viewsUrl: string;
  readonly members: readonly Member[];
  /** Undefined with `routerSpec.enableRouter: false`. */
  readonly #router: Service | undefined;
  readonly #prometheus: { readonly local: LocalPrometheus; readonly service: Service } | undefined;
  readonly #caches: readonly { readonly url: string; readonly service: Service }[];
  readonly #details = new Map<string, string>();
  readonly #client: RouterClient;
  readonly #hasDrainDelay: boolean;

  /**
   * Chooses ports and command lines; starts nothing.
   *
   * @throws {InputError} If the values cannot run here, a program is missing, or the router's port is in
   *   use.
   */
  static async create(options: StackOptions): Promise<RunningStack> {
    const { routerSpec } = options.values;
    const engines = planEngines(options.values);
    assertPrograms(options.values, engines, options.environment);
    if (routerSpec.enableRouter) {
      await assertPortFree(routerSpec.host, routerSpec.containerPort, '--port');
    }
    const prometheusPort = await choosePrometheusPort(options.values, options.environment);
    const cachePorts = await chooseCachePorts(options.values);
    const controllerPorts = await chooseControllerPorts(options.values);
    const ports = await chooseEnginePorts(options.values, engines);
    const backends = await Promise.all(
      engines.map((engine, index) => backendOf(engine, ports[index], options)),
    );
    // This program has no certificate of its own for a router that asks for one, and sees nothing where clients do not.
    const needsPort =
      routerSpec.tls.clientCa !== undefined ||
      routerSight(options.values, options.environment).isHidden;
    const [adminPort] = needsPort ? await freePorts(1) : [];
    return new RunningStack(options, engines, backends, ports, {
      admin: adminPort,
      prometheus: prometheusPort,
      caches: cachePorts,
      controller: controllerPorts,
    });
  }

  private constructor(
    options: StackOptions,
    engines: readonly EnginePlan[],
    backends: readonly ReachedBackend[],
    ports: readonly (EnginePorts | undefined)[],
    own: {
      readonly admin: number | undefined;
      readonly prometheus: number | undefined;
      readonly caches: readonly CachePorts[];
      readonly controller: ControllerPorts | undefined;
    },
  ) {
    const { values, hooks, environment } = options;
    const { routerSpec } = values;
    const { cert } = routerSpec.tls;
    const { admin: adminPort } = own;
    this.#hasDrainDelay = (routerSpec.drainDelay ?? 0) > 0;
    const scheme = cert === undefined ? 'http' : 'https';
    this.url = `${scheme}://${connectHost(routerSpec.host)}:${routerSpec.containerPort}`;
    this.viewsUrl = adminPort === undefined ? this.url : `http://127.0.0.1:${adminPort}`;
    const tls: ProbeTls | undefined =
      cert === undefined ? undefined : { pinned: new PinnedCertificate(cert) };
    const key = routerKeyOf(values, environment);
    this.#client = new RouterClient(this.viewsUrl, key, tls);
    const serviceHooks = {
      onLine: (service: Service, _stream: unknown, line: string) =>
        hooks.onLine(service.spec.name, line),
      onState: (service: Service, _state: unknown, detail: string) => {
        this.#details.set(service.spec.name, detail);
        for (const process of this.#processesOf(service)) hooks.onState(process);
      },
    };
    const { controller, caches } = own;
    this.#caches = cacheServices(values, options.self, caches).map((spec, index) => ({
      url: cacheUrl(caches[index] as CachePorts),
      service: new Service(spec, serviceHooks),
    }));
    const services = new Map<EnginePlan, Service>();
    for (const [index, group] of processGroups(values, engines).entries()) {
      // Any server has all keys, so the engines are spread over them.
      const cache = caches[index % caches.length];
      const lmcache = {
        cacheUrl: cache && cacheUrl(cache),
        cacheNodes: cache && cacheNodes(cache),
        controller: controller && { host: connectHost(routerSpec.host), ports: controller },
      };
      const ports0 = ports[engines.indexOf(group[0])];
      if (ports0 === undefined) continue;
      const { tls } = backends[engines.indexOf(group[0])] as ReachedBackend;
      const service = new Service(
        engineService(options, group, ports0, tls, lmcache),
        serviceHooks,
      );
      for (const engine of group) services.set(engine, service);
    }
    this.members = engines.map((engine, index) => {
      return { engine, backend: backends[index] as ReachedBackend, service: services.get(engine) };
    });
    if (own.prometheus !== undefined) {
      const local = localPrometheus({
        ...{ values, port: own.prometheus, members: this.members },
        routerUrl: routerSpec.enableRouter ? this.viewsUrl : undefined,
      });
      this.#prometheus = { local, service: new Service(local.spec, serviceHooks) };
    }
    if (!routerSpec.enableRouter) return;
    const address = { healthUrl: this.viewsUrl, healthTls: tls, adminPort, controller };
    this.#router = new Service(routerService(options, backends, address), serviceHooks);
  }

  /** Names of the child processes. */
  get childNames(): string[] {
    const others = [this.#router, this.#prometheus?.service].filter((one) => one !== undefined);
    return [
      ...this.#engineServices(),
      ...others,
      ...this.#caches.map(({ service }) => service),
    ].map(({ spec }) => spec.name);
  }

  /** Base URL of the Prometheus that watches the stack, if there is one. */
  get prometheusUrl(): string | undefined {
    return this.#prometheus?.local.url;
  }

  /** The cache server that its engines share, if there is one; the first of several, which has the keys of all. */
  get cacheUrl(): string | undefined {
    return this.#caches[0]?.url;
  }

  /**
   * Starts the cache servers, the engines, then the router; resolves when requests can be served. If one fails, it stops
   * all of them and throws the reason.
   *
   * @throws {ChildError} One sentence.
   */
  async start(): Promise<void> {
    try {
      await Promise.all(this.#caches.map(({ service }) => service.start()));
      await Promise.all(this.#engineServices().map((service) => service.start()));
      await this.#router?.start();
      await this.#prometheus?.service.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Stops everything in order: first the router, which finishes requests in flight, then the engines.
   *
   * @param hurry Aborting it kills all remaining processes at once.
   * @param drains Whether the router accepts requests for `routerSpec.drainDelay` first.
   */
  async stop(hurry?: AbortSignal, drains = false): Promise<void> {
    await this.#router?.stop(hurry, this.#hasDrainDelay && !drains ? 'SIGINT' : 'SIGTERM');
    await Promise.all(this.#engineServices().map((service) => service.stop(hurry)));
    await Promise.all(this.#caches.map(({ service }) => service.stop(hurry)));
    await this.#prometheus?.service.stop(hurry);
    this.#prometheus?.local.remove();
  }

  /** Whether the router serves the web page. */
  servesPage(): Promise<boolean> {
    return this.#client.servesPage();
  }

  /** The current state of the stack. A router that does not respond within 2 s is omitted. */
  async snapshot(): Promise<StackSnapshot> {
    if (this.#router === undefined) return { processes: this.#processes(), router: null };
    const router = await this.#client.view();
    return { processes: this.#processes(), router };
  }

  /**
   * What the router knows of the recent requests of an engine, and the name of the child that it runs in;
   * undefined if there is no such engine.
   */
  async engineDetails(
    name: string,
  ): Promise<(Omit<EngineDetails, 'log'> & { readonly child: string | undefined }) | undefined> {
    const member = this.members.find(({ backend }) => backend.name === name);
    if (member === undefined) return undefined;
    const traffic =
      this.#router === undefined
        ? { requests: [], picks: [], history: undefined }
        : await this.#client.traffic(member.backend.url);
    return { name, child: member.service?.spec.name, ...traffic };
  }

  #engineServices(): Service[] {
    return [...new Set(this.members.flatMap(({ service }) => (service ? [service] : [])))];
  }

  /** Engines that share a process have separate entries. */
  #processes(): ProcessSnapshot[] {
    const engines = this.members.map((member) => this.#engine(member));
    const { url } = this;
    const others = [
      { name: 'router', kind: 'router', url, service: this.#router },
      {
        name: 'prometheus',
        kind: 'prometheus',
        url: this.prometheusUrl ?? '',
        service: this.#prometheus?.service,
      },
      ...this.#caches.map(({ url, service }) => ({
        ...({ name: service.spec.name, kind: 'cache', url, service } as const),
      })),
    ] as const;
    return [
      ...engines,
      ...others.flatMap(({ service, ...process }) =>
        service === undefined ? [] : [{ ...process, model: undefined, ...this.#stateOf(service) }],
      ),
    ];
  }

  #processesOf(service: Service): ProcessSnapshot[] {
    const caches = this.#caches.map((cache) => cache.service);
    if ([this.#router, this.#prometheus?.service, ...caches].includes(service)) {
      return this.#processes().filter(({ name }) => name === service.spec.name);
    }
    return this.members
      .filter((member) => member.service === service)
      .map((member) => this.#engine(member));
  }

  #engine({ engine, backend, service }: Member): ProcessSnapshot {
    return {
      name: backend.name,
      kind: engine.kind,
      url: backend.url,
      model: backend.model,
      ...this.#stateOf(service),
    };
  }

  #stateOf(service: Service | undefined) {
    return {
      state: service?.state ?? 'remote',
      detail: this.#details.get(service?.spec.name ?? '') ?? '',
      pid: service?.pid,
      restarts: service?.restarts ?? 0,
    };
  }
}

/** An address at which a server that listens on all interfaces is reachable. */
function connectHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
