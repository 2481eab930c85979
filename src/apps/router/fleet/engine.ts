// One engine behind the router: its connections, its health, and what it reports.
import type { EngineReport } from '../../../core/protocol/index.ts';
import type { EndpointState, RoutingCore } from '../../../core/routing/index.ts';
import { addressOf } from '../../../io/endpoints/index.ts';
import {
  copied,
  type FetchedAnswer,
  RepeatedGet,
  type Ticker,
  type UpstreamLimits,
  UpstreamPool,
  type UpstreamTls,
} from '../../../io/http/index.ts';
import type { Logger } from '../../../io/log/index.ts';
import { EngineMetrics } from '../metrics/engine-metrics.ts';
import type { RouterMetrics } from '../metrics/router-metrics.ts';
import type { ProxyTarget } from '../requests/proxy-target.ts';
import { type ClientSight, type ShownEngine, shownEngine } from './client-sight.ts';
import { EngineModels, type ModelCard } from './engine-models.ts';
import { LastReport } from './last-report.ts';
import { ReportRateMeter, type ReportRates } from './report-rates.ts';
import { ReportReader } from './report-reader.ts';

export interface EngineOptions {
  /** Without a trailing slash. */
  readonly url: string;
  /** Undefined for its address. */
  readonly name: string | undefined;
  /** Models to assume until the engine lists its own. */
  readonly assumedModels: readonly string[];
  readonly core: RoutingCore;
  readonly ticker: Ticker;
  readonly metrics: RouterMetrics;
  readonly log: Logger;
  readonly limits: Partial<UpstreamLimits>;
  /** For connections to an `https://` URL. */
  readonly tls?: (() => UpstreamTls) | undefined;
  /** `Authorization` for the router's own requests, if engines require one and the URL of this one has none. */
  readonly authorization: string | undefined;
  /** `Authorization` for all requests, from the credentials in its URL. */
  readonly ownAuthorization?: string | undefined;
  /** The current client settings; they may change while the router runs. */
  readonly healthTimeoutMs: () => number;
  /** Has the engine while it is not live. */
  readonly notLive: Set<Engine>;
  /** What clients see of it. @default all */
  readonly sight?: ClientSight | undefined;
  /** Among all engines that the router has had. @default 1 */
  readonly number?: number | undefined;
}

/** Size limits on responses to the router's own requests. */
const modelsBytesMax = 1_048_576;
const metricsBytesMax = 8 * 1_048_576;
const healthBytesMax = 65_536;
/** Consecutive failed probes before a live engine is marked dead; a refused connection needs only one. */
const failedProbesMax = 2;
/** Minimum interval between looks for a restart: an engine may close its idle connections often. */
const restartLookIntervalMs = 1_000;
/** Stands for what is over, so that a thousand engines do not keep a promise each. */
const settled = Promise.resolve();
/** Why an engine is in the state of this name. */
const asleep = 'asleep, as it reports';

/** Its body is not read. */
const withoutBody = ({ status, headers }: FetchedAnswer) => ({ status, headers });

export class Engine implements ProxyTarget {
  readonly url: string;
  readonly id: string;
  name = '';
  label = '';
  shown: ShownEngine = { name: '', label: '' };
  headerLines = '';
  authorization: { readonly value: string } | undefined = undefined;
  /** Whether its responses say that it is an emulation; undefined before the first one. */
  isEmulated: boolean | undefined = undefined;
  readonly host: string;
  readonly basePath: string;
  readonly pool: UpstreamPool;
  readonly metrics: EngineMetrics;
  /** Unix time in seconds. */
  readonly createdSeconds = Math.floor(Date.now() / 1000);
  reportedAtSeconds = 0;
  readonly #options: EngineOptions;
  readonly #gets: RepeatedGet[] = [];
  readonly #rates = new ReportRateMeter();
  readonly #last = new LastReport();
  readonly #models: EngineModels;
  readonly #health: RepeatedGet;
  readonly #reports: ReportReader;
  #stateSinceMs = performance.now();
  #failedProbes = 0;
  /** Counts state changes, so that a probe that started before one does not undo it. */
  #generation = 0;
  #probing = false;
  /** Health checks under way, with what follows from them. */
  #probes = 0;
  /** The last health check that began, with what follows from it, until it is over. */
  #probe = settled;
  #scraping = false;
  /** The last reading of its metrics that began, until it is over. */
  #scrape = settled;
  #lookedForRestartMs = Number.NEGATIVE_INFINITY;
  #scrapes = 0;
  #isLeaving = false;
  #refusesTokenIds = false;

  constructor(options: EngineOptions) {
    const { url, core, ticker, limits, tls } = options;
    this.#options = options;
    this.url = url;
    this.id = url;
    this.rename(options.name);
    this.authorize(options.ownAuthorization);
    const onKeptClosed = () => this.#lookForRestart();
    this.pool = new UpstreamPool({ url, ticker, limits, tls, onKeptClosed });
    const parsed = new URL(url);
    this.host = parsed.host;
    this.basePath = parsed.pathname.replace(/\/$/, '');
    this.metrics = new EngineMetrics(options.metrics, url);
    this.#health = this.#get('/health', healthBytesMax);
    this.#reports = new ReportReader((path) => this.#get(path, metricsBytesMax));
    const models = this.#get('/v1/models', modelsBytesMax);
    this.#models = new EngineModels({
      ...{ url, core, log: options.log, assumed: options.assumedModels },
      request: () => models.send(copied),
      label: () => this.label,
      isLeaving: () => this.#isLeaving,
    });
    core.addEndpoint({
      url,
      models: options.assumedModels,
      state: 'starting',
      reason: 'no successful health check yet',
    });
    options.notLive.add(this);
  }

  /** @param name Undefined for its address. */
  rename(name: string | undefined): void {
    const address = addressOf(this.url);
    this.name = name ?? address;
    this.label = this.name === address ? this.url : `${this.name} (${this.url})`;
    const { sight = { isOpen: true }, number = 1 } = this.#options;
    const engine = { url: this.url, ownName: name, number };
    this.shown = shownEngine(sight, engine, this.label);
    const shownName = sight.isOpen ? this.name : this.shown.name;
    this.headerLines = `x-spillway-engine: ${this.shown.name}\r\nx-spillway-engine-name: ${shownName}\r\n`;
  }

  /** @param authorization Value of `Authorization` for all requests, from the credentials in its URL. */
  authorize(authorization: string | undefined): void {
    if (authorization === this.authorization?.value) return;
    this.authorization = authorization === undefined ? undefined : { value: authorization };
    for (const get of this.#gets) get.setHeaders(this.authorizationLines);
  }

  /** The models that it lists. */
  get models(): readonly ModelCard[] {
    return this.#models.cards;
  }

  /** Engines other than vLLM refuse requests with members that they do not know, or ignore them. */
  get takesTokenIds(): boolean {
    if (this.#refusesTokenIds) return false;
    return this.#models.isVllm || this.report?.running !== undefined;
  }

  /** A server in front of vLLM may list its models as vLLM does. */
  refusedTokenIds(): void {
    if (this.#refusesTokenIds) return;
    this.#refusesTokenIds = true;
    this.#options.log.info(
      `engine ${this.label} refuses return_token_ids: it gets requests without it, and its streams cannot move`,
    );
  }

  /** Time since its state last changed. */
  get stateSeconds(): number {
    return (performance.now() - this.#stateSinceMs) / 1000;
  }

  /** Undefined before the first one. */
  get report(): EngineReport | undefined {
    return this.#last.report;
  }

  /** Rates from its last reports; undefined before the second one. */
  get rates(): ReportRates | undefined {
    return this.#rates.rates;
  }

  /** `Authorization` of the router's own requests; undefined if they have none. */
  get requestAuthorization(): string | undefined {
    return this.authorization?.value ?? this.#options.authorization;
  }

  /** Header lines for the router's own requests. */
  get authorizationLines(): readonly string[] {
    const authorization = this.requestAuthorization;
    return authorization === undefined ? [] : [`Authorization: ${authorization}`];
  }

  get live(): boolean {
    return this.#options.core.stateOf(this.url) === 'live';
  }

  /** Whether it gets no new requests because its source no longer lists it. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Whether this router has no request in flight there. */
  get isIdle(): boolean {
    return !this.#options.core.endpoint(this.url)?.ownLoad.inflight;
  }

  /** Stops new requests from now on, whatever a probe in progress finds. */
  leave(why: string): void {
    this.#isLeaving = true;
    this.#generation++;
    this.#setState('draining', why);
  }

  /** Listed again before its last request has ended: it gets requests once it is healthy. */
  stay(): void {
    this.#isLeaving = false;
    this.#setState('starting', 'listed again, no successful health check yet');
  }

  /** @param models Assumed if the engine does not list its own. */
  assumeModels(models: readonly string[]): void {
    this.#models.assume(models);
  }

  /** Reads the models that it lists. */
  learnModels(): Promise<void> {
    return this.#models.learn();
  }

  /** A request found it dead: marked dead at once, live again when a probe succeeds. */
  failed(why: string): void {
    if (this.#isLeaving) return;
    this.#generation++;
    this.#die(why);
  }

  /** An attempt broke there or took too long: checks its health now, and one failure marks it dead. */
  suspect(): void {
    this.#failedProbes = failedProbesMax - 1;
    void this.probe();
    this.#lookForRestart();
  }

  /** None of its streams moves, though it may answer health checks. */
  stalled(why: string): void {
    this.#options.log.warning(`engine ${this.label} is wedged: ${why}`);
    this.metrics.stalls.inc();
    this.suspect();
  }

  /** Checks its health, unless that is under way, and reads its models when it becomes live. */
  probe(): Promise<void> {
    if (!this.#probing && !this.#isLeaving) this.#probe = this.#checkHealth();
    return this.#probe;
  }

  async #checkHealth(): Promise<void> {
    this.#probes++;
    try {
      await this.#checkedHealth();
    } finally {
      if (--this.#probes === 0) this.#probe = settled;
    }
  }

  async #checkedHealth(): Promise<void> {
    this.#probing = true;
    const generation = this.#generation;
    let why: string | undefined;
    try {
      const { status, headers } = await this.#health.send(withoutBody);
      this.isEmulated = headers.get('x-spillway-emulated') === 'true';
      // A 404 comes from an engine without that route, which is reachable all the same.
      if (status >= 500) why = `/health returned ${status}`;
    } catch (error) {
      why = `/health: ${error instanceof Error ? error.message : error}`;
    } finally {
      this.#probing = false;
    }
    if (generation !== this.#generation) return;
    if (why !== undefined) this.#unhealthy(why);
    else if (this.live && this.#models.areListed) this.#failedProbes = 0;
    else await this.#healthy();
  }

  /**
   * Reads /metrics into the report.
   *
   * @param modelsEvery Number of scrapes after which the models of a live engine are read again. @default 1
   */
  scrape(nowSeconds: () => number, modelsEvery = 1): Promise<void> {
    if (!this.#scraping && !this.#isLeaving) this.#scrape = this.#read(nowSeconds, modelsEvery);
    return this.#scrape;
  }

  /**
   * A connection broke: its process may have ended and another one may listen already, without its cache. The start
   * time in its metrics tells; one that cannot be reached is dead, and its metrics are read before it is live again.
   */
  #lookForRestart(): void {
    const nowMs = performance.now();
    if (this.#isLeaving || !this.live) return;
    if (nowMs - this.#lookedForRestartMs < restartLookIntervalMs) return;
    this.#lookedForRestartMs = nowMs;
    void this.probe();
    // What is being read may be of the process that has ended.
    const read = () => this.scrape(() => performance.now() / 1000);
    if (this.#scraping) void this.#scrape.then(read);
    else void read();
  }

  async #read(nowSeconds: () => number, modelsEvery: number): Promise<void> {
    this.#scraping = true;
    const readsModels = ++this.#scrapes % modelsEvery === 0;
    try {
      const report = await this.#reports.read();
      if (report === undefined || this.#isLeaving) return;
      this.#setReport(report, nowSeconds());
      // Adapters are loaded and unloaded, and models renamed, while an engine is live.
      if (readsModels && this.live && this.#models.areListed) await this.learnModels();
    } catch (error) {
      this.#options.log.debug(`engine ${this.label}: no metrics: ${error}`);
    } finally {
      this.#scraping = false;
      this.#scrape = settled;
    }
  }

  /** Closes its connections. A check in flight changes nothing any more, and no check follows. */
  close(): void {
    this.#isLeaving = true;
    this.#generation++;
    this.pool.close();
  }

  async #healthy(): Promise<void> {
    this.#failedProbes = 0;
    const generation = this.#generation;
    // Its start time tells, before the first pick, whether it has lost its cache.
    await Promise.all([this.learnModels(), this.scrape(() => performance.now() / 1000)]);
    if (generation !== this.#generation) return;
    if (this.report?.isAsleep === true) {
      this.#setState('asleep', asleep);
      return;
    }
    if (this.#setState('live', 'healthy')) {
      this.#options.log.info(`engine ${this.label} is live`);
    }
  }

  #unhealthy(why: string): void {
    this.#failedProbes++;
    if (this.live && this.#failedProbes < failedProbesMax && !/ECONNREFUSED/.test(why)) return;
    this.#die(why);
  }

  #die(why: string): void {
    this.#rates.clear();
    if (this.#setState('dead', why)) {
      this.#options.log.warning(`engine ${this.label} is dead: ${why}`);
    }
  }

  /** @returns Whether the state changed. */
  #setState(state: EndpointState, why: string): boolean {
    const isChanged = this.#options.core.setState(this.url, state, why);
    if (!isChanged) return false;
    this.#stateSinceMs = performance.now();
    const { notLive } = this.#options;
    if (state === 'live') notLive.delete(this);
    else notLive.add(this);
    return true;
  }

  #setReport(report: EngineReport, nowSeconds: number): void {
    const load = this.#last.take(report, nowSeconds);
    this.reportedAtSeconds = nowSeconds;
    this.#rates.add(this.report ?? report, nowSeconds);
    this.#followSleep(report.isAsleep === true);
    if (load !== undefined) this.#options.core.setReported(this.url, load);
  }

  /** An engine that sleeps accepts requests and does not answer them, with /health 200. */
  #followSleep(isAsleep: boolean): void {
    const { core, log } = this.#options;
    const isShownAsleep = core.stateOf(this.url) === 'asleep';
    if (isAsleep && this.live) {
      this.#setState('asleep', asleep);
      log.info(`engine ${this.label} is asleep`);
      // Its cache is lost.
      core.endpointRestarted(this.url);
    } else if (!isAsleep && isShownAsleep) {
      this.#setState('live', 'awake again');
      log.info(`engine ${this.label} is awake`);
    }
  }

  #get(path: string, bytesMax: number): RepeatedGet {
    const get = new RepeatedGet(this.pool, {
      ...{ target: this.basePath + path, headers: this.authorizationLines, bytesMax },
      timeoutMs: this.#options.healthTimeoutMs,
    });
    this.#gets.push(get);
    return get;
  }
}
