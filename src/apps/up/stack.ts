// The whole stack on this machine: engines and router as child processes, started and stopped in
// order.
import { NoResponseError } from '../../core/base/index.ts';
import { publishesWhereChosen } from '../../core/layout/index.ts';
import type { Values } from '../../core/values/index.ts';
import {
  parseHistoryView,
  parsePickViews,
  parseRequestViews,
  parseRouterView,
} from '../../core/views/index.ts';
import {
  assertPortFree,
  freePortRuns,
  freePorts,
  PinnedCertificate,
  type ProbeTls,
  probe,
  Service,
  type ServiceSpec,
} from '../../io/processes/index.ts';
import { engineEnvironment } from './engine-environment.ts';
import { type EnginePorts, embeddedEngineFlags, vllmFlags } from './engine-flags.ts';
import {
  type EnginePlan,
  type LocalEngine,
  type ProcessGroup,
  planEngines,
  processGroups,
} from './engine-plan.ts';
import { choosePrometheusPort, type LocalPrometheus, localPrometheus } from './local-prometheus.ts';
import { assertPrograms } from './missing-programs.ts';
import { type Backend, routerFlags } from './router-flags.ts';
import type { EngineDetails, ProcessSnapshot, StackSnapshot } from './snapshot.ts';
import { startSecondsMax } from './startup-probe.ts';

export interface StackHooks {
  /** A line that a child printed. */
  onLine(name: string, line: string): void;
  /** A child changed state; see `ProcessSnapshot`. */
  onState(process: ProcessSnapshot): void;
}

export interface StackOptions {
  readonly values: Values;
  /** Program and first arguments that run `spillway`. */
  readonly self: readonly [string, ...string[]];
  /** This program's environment: children inherit it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hooks: StackHooks;
}

/** An embedded engine starts in half a second, the very first in one and a half; a busy laptop needs longer. */
const embeddedStartDeadlineMs = 60_000;
const routerStartDeadlineMs = 60_000;
/** Time from SIGTERM to SIGKILL; the router ends its streams 2 s before. */
const stopGraceMs = 10_000;
/** One retry tells a chance failure, such as a port taken in between, from a lasting one. */
const vllmStartRetriesMax = 1;
/** vLLM ends its worker processes first. */
const vllmStopGraceMs = 20_000;
const snapshotTimeoutMs = 2_000;
const remoteModelsTimeoutMs = 10_000;

interface Member {
  readonly backend: Backend;
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
  readonly #details = new Map<string, string>();
  /** Headers that the router requires from every client, this program included. */
  readonly #routerKey: string | undefined;
  readonly #routerTls: ProbeTls | undefined;
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
    const ports = await choosePorts(options.values, engines);
    const backends = await Promise.all(
      engines.map((engine, index) => backendOf(engine, ports[index], options)),
    );
    // This program has no certificate of its own for a router that asks for one.
    const [adminPort] = routerSpec.tls.clientCa === undefined ? [] : await freePorts(1);
    return new RunningStack(options, engines, backends, ports, {
      admin: adminPort,
      prometheus: prometheusPort,
    });
  }

  private constructor(
    options: StackOptions,
    engines: readonly EnginePlan[],
    backends: readonly Backend[],
    ports: readonly (EnginePorts | undefined)[],
    own: { readonly admin: number | undefined; readonly prometheus: number | undefined },
  ) {
    const { values, self, hooks, environment } = options;
    const { routerSpec } = values;
    const { cert } = routerSpec.tls;
    const { admin: adminPort } = own;
    this.#hasDrainDelay = (routerSpec.drainDelay ?? 0) > 0;
    this.#routerKey = environment.SPILLWAY_ROUTER_API_KEY?.trim();
    const scheme = cert === undefined ? 'http' : 'https';
    this.url = `${scheme}://${connectHost(routerSpec.host)}:${routerSpec.containerPort}`;
    this.viewsUrl = adminPort === undefined ? this.url : `http://127.0.0.1:${adminPort}`;
    this.#routerTls = cert === undefined ? undefined : { pinned: new PinnedCertificate(cert) };
    const serviceHooks = {
      onLine: (service: Service, _stream: unknown, line: string) =>
        hooks.onLine(service.spec.name, line),
      onState: (service: Service, _state: unknown, detail: string) => {
        this.#details.set(service.spec.name, detail);
        for (const process of this.#processesOf(service)) hooks.onState(process);
      },
    };
    const services = new Map<EnginePlan, Service>();
    for (const group of processGroups(values, engines)) {
      const ports0 = ports[engines.indexOf(group[0])];
      if (ports0 === undefined) continue;
      const { tls } = backends[engines.indexOf(group[0])] as Backend;
      const service = new Service(engineService(options, group, ports0, tls), serviceHooks);
      for (const engine of group) services.set(engine, service);
    }
    this.members = engines.map((engine, index) => {
      return { engine, backend: backends[index] as Backend, service: services.get(engine) };
    });
    if (own.prometheus !== undefined) {
      const local = localPrometheus({
        ...{ values, port: own.prometheus, members: this.members },
        routerUrl: routerSpec.enableRouter ? this.viewsUrl : undefined,
      });
      this.#prometheus = { local, service: new Service(local.spec, serviceHooks) };
    }
    if (!routerSpec.enableRouter) return;
    const [command, ...first] = self;
    this.#router = new Service(
      {
        name: 'router',
        command,
        args: [...first, 'router', ...routerFlags(values, backends, adminPort)],
        env: secretsOf(values),
        lifeline: 'pipe',
        healthUrl: `${this.viewsUrl}/health`,
        healthTls: this.#routerTls,
        startDeadlineMs: routerStartDeadlineMs,
        stopGraceMs: stopGraceMs + 1000 * (routerSpec.drainDelay ?? 0),
      },
      serviceHooks,
    );
  }

  /** Names of the child processes. */
  get childNames(): string[] {
    const others = [this.#router, this.#prometheus?.service].filter((one) => one !== undefined);
    return [...this.#engineServices(), ...others].map(({ spec }) => spec.name);
  }

  /** Base URL of the Prometheus that watches the stack, if there is one. */
  get prometheusUrl(): string | undefined {
    return this.#prometheus?.local.url;
  }

  /**
   * Starts the engines, then the router; resolves when requests can be served. If one fails, it stops
   * all of them and throws the reason.
   *
   * @throws {ChildError} One sentence.
   */
  async start(): Promise<void> {
    try {
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
    await this.#prometheus?.service.stop(hurry);
    this.#prometheus?.local.remove();
  }

  /** The current state of the stack. A router that does not respond within 2 s is omitted. */
  async snapshot(): Promise<StackSnapshot> {
    if (this.#router === undefined) return { processes: this.#processes(), router: null };
    const router = await this.#ask('/debug/router', parseRouterView);
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
    const { url } = member.backend;
    const isOwn = (item: { readonly url: string | null }): boolean => item.url === url;
    const [requests, picks, history] = await Promise.all([
      this.#ask('/debug/requests', parseRequestViews),
      this.#ask('/debug/picks', parsePickViews),
      this.#ask(`/dashboard/history?engine=${encodeURIComponent(url)}`, parseHistoryView),
    ]);
    return {
      name,
      child: member.service?.spec.name,
      requests: requests?.filter(isOwn) ?? [],
      picks: picks?.filter(isOwn) ?? [],
      history: history?.engines[0],
    };
  }

  /** Asks the router; undefined if there is none, or it does not respond as expected. */
  async #ask<T>(path: string, parse: (json: string) => T): Promise<T | undefined> {
    if (this.#router === undefined) return undefined;
    const options = {
      ...{ timeoutMs: snapshotTimeoutMs, key: this.#routerKey, tls: this.#routerTls },
    };
    const answer = await probe(this.viewsUrl + path, options).catch(() => undefined);
    return answer?.status === 200 ? parse(answer.body) : undefined;
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
    ] as const;
    return [
      ...engines,
      ...others.flatMap(({ service, ...process }) =>
        service === undefined ? [] : [{ ...process, model: undefined, ...this.#stateOf(service) }],
      ),
    ];
  }

  #processesOf(service: Service): ProcessSnapshot[] {
    if (service === this.#router || service === this.#prometheus?.service) {
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

/** @param ports Those of the group's first engine. */
function engineService(
  options: StackOptions,
  group: ProcessGroup,
  ports: EnginePorts,
  healthTls: ProbeTls | undefined,
): ServiceSpec {
  const { values, self, environment } = options;
  const [engine] = group;
  // The last to listen.
  const healthUrl = `${localUrl(engine, ports.http + group.length - 1)}/health`;
  const env = engineEnvironment(values, engine.spec, environment);
  if (engine.kind === 'embedded') {
    const [command, ...first] = self;
    return {
      name: group.length === 1 ? engine.name : engine.spec.name,
      command,
      args: [...first, 'engine', ...embeddedEngineFlags(engine.spec, ports, group.length)],
      env,
      lifeline: 'pipe',
      ...{ healthUrl, healthTls },
      startDeadlineMs: embeddedStartDeadlineMs,
      stopGraceMs,
    };
  }
  const [program, ...first] = values.spillway.vllmCommand;
  return {
    name: engine.name,
    command: program as string,
    args: [...first, ...vllmFlags(engine.spec, ports, values.spillway.vllmCommand)],
    env,
    lifeline: 'guard',
    ...{ healthUrl, healthTls },
    startDeadlineMs: startSecondsMax(values.servingEngineSpec.startupProbe) * 1000,
    startRetriesMax: vllmStartRetriesMax,
    stopGraceMs: vllmStopGraceMs,
  };
}

async function choosePorts(
  values: Values,
  engines: readonly EnginePlan[],
): Promise<(EnginePorts | undefined)[]> {
  const first = values.spillway.enginePort;
  const groups = processGroups(values, engines);
  // Engines of one process have consecutive ports: their own, those of KV events, those of replay.
  const runs = await freePortRuns(groups.flatMap(({ length }) => [length, length, length]));
  const portsOf = new Map<EnginePlan, EnginePorts>();
  for (const [i, group] of groups.entries()) {
    const [http = 0, kvEvents = 0, kvReplay = 0] = runs.slice(i * 3, i * 3 + 3);
    for (const [k, engine] of group.entries()) {
      const wanted = first === 0 ? http + k : first + portsOf.size;
      portsOf.set(engine, { http: wanted, kvEvents: kvEvents + k, kvReplay: kvReplay + k });
    }
  }
  const chosen = engines.map((engine) => portsOf.get(engine));
  if (first !== 0) {
    for (const ports of chosen) {
      if (ports) await assertPortFree('127.0.0.1', ports.http, '--set spillway.enginePort=…');
    }
  }
  return chosen;
}

async function backendOf(
  engine: EnginePlan,
  ports: EnginePorts | undefined,
  { values, environment }: StackOptions,
): Promise<Backend> {
  // The router's own certificate is the one that engines ask for.
  const { engineTls } = values.routerSpec;
  if (engine.kind === 'url') {
    const model = engine.model ?? (await modelOf(engine.url, environment.VLLM_API_KEY, engineTls));
    return { name: engine.name, url: engine.url, model };
  }
  const kvEvents =
    ports && publishesWhereChosen(engine.spec)
      ? { events: ports.kvEvents, replay: ports.kvReplay }
      : undefined;
  const { cert, key } = engineTls;
  return {
    name: engine.name,
    url: localUrl(engine, ports?.http),
    model: engine.model,
    kvEvents,
    ...(engine.certificate !== undefined && {
      tls: { pinned: new PinnedCertificate(engine.certificate), cert, key },
    }),
  };
}

function localUrl({ certificate }: LocalEngine, port: number | undefined): string {
  return `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
}

/** The first model that a running engine serves. */
async function modelOf(url: string, key: string | undefined, tls: ProbeTls): Promise<string> {
  try {
    const options = { timeoutMs: remoteModelsTimeoutMs, key, tls };
    const { status, body } = await probe(`${url}/v1/models`, options);
    if (status !== 200) throw new Error(`it returned ${status}`);
    const { data } = JSON.parse(body) as { data?: { id?: string }[] };
    const id = data?.[0]?.id;
    if (id === undefined) throw new Error('it lists no model');
    return id;
  } catch (error) {
    throw new NoResponseError(
      `the engine at ${url} does not list its model on ${url}/v1/models (${reasonOf(error)}): start it first, or fix its URL.`,
      { cause: error },
    );
  }
}

/** The system's code where it has one; a timeout has a number. */
function reasonOf(error: unknown): string {
  const { name, message, code } = error as NodeJS.ErrnoException;
  if (/^(AbortError|TimeoutError)$/.test(name)) {
    return `no response within ${remoteModelsTimeoutMs / 1000} s`;
  }
  return code ?? message;
}

/** Environment variables with the key that the router sends to engines. */
function secretsOf(values: Values): Record<string, string> {
  const { vllmApiKey } = values.servingEngineSpec;
  return typeof vllmApiKey === 'string' && vllmApiKey !== '' ? { VLLM_API_KEY: vllmApiKey } : {};
}

/** An address at which a server that listens on all interfaces is reachable. */
function connectHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
