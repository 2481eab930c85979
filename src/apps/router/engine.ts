// One engine behind the router: its connections, its health, and what it says of itself.
import { type EngineReport, parseEngineReport } from '../../core/protocol/index.ts';
import type { RoutingCore } from '../../core/routing/index.ts';
import { fetchBytes, type Ticker, type UpstreamLimits, UpstreamPool } from '../../io/http/index.ts';
import type { Logger } from '../../io/log/index.ts';
import type { ProxyTarget } from './proxied-request.ts';
import type { EngineMetrics, RouterMetrics } from './router-metrics.ts';

/** A model as the engine's /v1/models lists it, passed on unchanged. */
export type ModelCard = Readonly<Record<string, unknown>> & { readonly id: string };

export interface EngineOptions {
  /** Without a trailing slash. */
  readonly url: string;
  /** Models to assume until, or unless, the engine lists its own. */
  readonly staticModels: readonly string[];
  readonly core: RoutingCore;
  readonly ticker: Ticker;
  readonly metrics: RouterMetrics;
  readonly log: Logger;
  readonly limits: Partial<UpstreamLimits>;
  /** `Authorization` for the router's own questions, if the engine wants one. */
  readonly authorization: string | undefined;
  readonly healthTimeoutMs: number;
}

/** Bounds on the answers to our own questions. */
const modelsBytesMax = 1_048_576;
const metricsBytesMax = 8 * 1_048_576;
const healthBytesMax = 65_536;
const modelsPerEngineMax = 1_000;
/** Probes in a row that must fail before a live engine is out; a refused connection needs none. */
const failedProbesMax = 2;

export class Engine implements ProxyTarget {
  readonly url: string;
  readonly id: string;
  readonly host: string;
  readonly basePath: string;
  readonly pool: UpstreamPool;
  readonly metrics: EngineMetrics;
  /** Unix time in seconds. */
  readonly createdSeconds = Math.floor(Date.now() / 1000);
  models: readonly ModelCard[] = [];
  report: EngineReport | undefined = undefined;
  reportedAtSeconds = 0;
  readonly #options: EngineOptions;
  #failedProbes = 0;
  /** Counts changes of state, so that a probe begun before one does not undo it. */
  #generation = 0;
  #probing = false;
  #scraping = false;
  #listsModels = false;
  #silence: string | undefined;

  constructor(options: EngineOptions) {
    const { url, core, ticker, limits } = options;
    this.#options = options;
    this.url = url;
    this.id = url;
    this.pool = new UpstreamPool({ url, ticker, limits });
    const parsed = new URL(url);
    this.host = parsed.host;
    this.basePath = parsed.pathname === '/' ? '' : parsed.pathname.replace(/\/$/, '');
    this.metrics = options.metrics.engine(url);
    core.addEndpoint({
      url,
      models: options.staticModels,
      state: 'starting',
      reason: 'not seen healthy yet',
    });
  }

  /** Header lines for the router's own questions. */
  get authorizationLines(): readonly string[] {
    const { authorization } = this.#options;
    return authorization === undefined ? [] : [`Authorization: ${authorization}`];
  }

  get live(): boolean {
    return this.#options.core.endpoint(this.url)?.state === 'live';
  }

  /** A request found it dead: out at once, back when a probe succeeds. */
  failed(why: string): void {
    this.#generation++;
    if (this.#options.core.setState(this.url, 'dead', why)) {
      this.#options.log.warning(`engine ${this.url} is out: ${why}`);
    }
  }

  /** Asks for its health once, and for its models when it has come to life. */
  async probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    const generation = this.#generation;
    let why: string | undefined;
    try {
      const { status } = await this.#get('/health', healthBytesMax, this.#options.healthTimeoutMs);
      // 404 is an engine without that route, but one that answers.
      if (status >= 500) why = `/health answers ${status}`;
    } catch (error) {
      why = `/health: ${error instanceof Error ? error.message : error}`;
    } finally {
      this.#probing = false;
    }
    if (generation !== this.#generation) return;
    if (why === undefined) await this.#healthy();
    else this.#unhealthy(why);
  }

  /** Reads /metrics into the report. */
  async scrape(nowSeconds: () => number): Promise<void> {
    if (this.#scraping) return;
    this.#scraping = true;
    try {
      const answer = await this.#get('/metrics', metricsBytesMax, this.#options.healthTimeoutMs);
      if (answer.status !== 200) return;
      this.#setReport(parseEngineReport(answer.body.toString()), nowSeconds());
    } catch (error) {
      this.#options.log.debug(`engine ${this.url}: no metrics: ${error}`);
    } finally {
      this.#scraping = false;
    }
  }

  close(): void {
    this.pool.close();
  }

  async #healthy(): Promise<void> {
    this.#failedProbes = 0;
    if (this.live && this.#listsModels) return;
    await this.learnModels();
    if (this.#options.core.setState(this.url, 'live', 'healthy')) {
      this.#options.log.info(`engine ${this.url} is live`);
    }
  }

  #unhealthy(why: string): void {
    this.#failedProbes++;
    if (this.live && this.#failedProbes < failedProbesMax && !/ECONNREFUSED/.test(why)) return;
    if (this.#options.core.setState(this.url, 'dead', why)) {
      this.#options.log.warning(`engine ${this.url} is out: ${why}`);
    }
  }

  /** Takes over the models that the engine lists; its static ones stay if it lists none. */
  async learnModels(): Promise<void> {
    const { core, healthTimeoutMs } = this.#options;
    try {
      const { status, body } = await this.#get('/v1/models', modelsBytesMax, healthTimeoutMs);
      if (status !== 200) {
        this.#listsNone(`it answers ${status} to /v1/models${cure(status)}`);
        return;
      }
      const cards = modelCards(JSON.parse(body.toString()));
      if (cards.length === 0) return this.#listsNone('it names none in /v1/models');
      this.#listsModels = true;
      this.#silence = undefined;
      this.models = cards;
      core.addEndpoint({ url: this.url, models: cards.map(({ id }) => id) });
    } catch (error) {
      this.#listsNone(`/v1/models: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Said once, and to clients that ask for a model nobody is known to serve. */
  #listsNone(why: string): void {
    const { core, log, staticModels } = this.#options;
    core.setModelsUnknown(this.url, why);
    if (this.#silence === why) return;
    this.#silence = why;
    log[staticModels.length > 0 ? 'debug' : 'warning'](
      `engine ${this.url}: no list of models: ${why}`,
    );
  }

  #setReport(report: EngineReport, nowSeconds: number): void {
    this.report = report;
    this.reportedAtSeconds = nowSeconds;
    const { running, waiting, kvUsage, blocksTotal, blockTokens, startedAtSeconds } = report;
    if (running === undefined && waiting === undefined && kvUsage === undefined) return;
    this.#options.core.setReported(this.url, {
      atSeconds: nowSeconds,
      running: running ?? 0,
      waiting: waiting ?? 0,
      kvUsage: kvUsage ?? 0,
      blocksTotal,
      blockTokens,
      startedAtSeconds,
    });
  }

  #get(path: string, bytesMax: number, timeoutMs: number) {
    return fetchBytes(this.pool, {
      target: this.basePath + path,
      headers: this.authorizationLines,
      timeoutMs,
      bytesMax,
    });
  }
}

/** What to do about an engine that does not answer us. */
function cure(status: number): string {
  return status === 401 || status === 403
    ? ': give the router the key of the engines in VLLM_API_KEY'
    : '';
}

function modelCards(listing: unknown): ModelCard[] {
  const data = (listing as { data?: unknown } | null)?.data;
  if (!Array.isArray(data)) return [];
  return data
    .filter((card): card is ModelCard => typeof (card as ModelCard | null)?.id === 'string')
    .slice(0, modelsPerEngineMax);
}
