// The router's brain without its sockets: which engines there are, what each is busy with, and
// which one takes the next request. The production router and the simulator run this same code.
import { type Clock, RingBuffer } from '../base/index.ts';
import type { AgedNews, AttemptNews } from './attempt-news.ts';
import type { Endpoint, Pick, Policy, ReportedLoad, RoutingRequest } from './contract.ts';
import {
  EndpointRecord,
  type EndpointState,
  type EndpointStatus,
  statusOf,
} from './endpoint-record.ts';
import { NoEndpointError, UnknownModelError } from './errors.ts';
import { HeardAttempts } from './heard-attempts.ts';
import { Ticket } from './ticket.ts';
import { ToldAttempts } from './told-attempts.ts';

export interface RoutingCoreOptions {
  readonly policy: Policy;
  readonly clock: Clock;
  /** Name that a client may use to the model that serves it. */
  readonly aliases?: ReadonlyMap<string, string> | undefined;
  /** How many picks `recentPicks` keeps. @default 256 */
  readonly recentPicksMax?: number | undefined;
  /**
   * Tells other routers before the same engines of each attempt. Called in mid-work: what it is given is
   * to be sent later. Nothing is made or kept for it unless it is set.
   */
  readonly onNews?: ((news: AttemptNews) => void) | undefined;
}

export interface EndpointOptions {
  readonly url: string;
  readonly models: readonly string[];
  /** @default 'live' */
  readonly state?: EndpointState | undefined;
  /** Why it starts in that state. @default 'added' */
  readonly reason?: string | undefined;
}

/** One pick, kept to answer "why this engine". */
export interface RecentPick {
  readonly atSeconds: number;
  readonly requestId: string;
  readonly model: string | undefined;
  readonly promptTokens: number;
  readonly url: string;
  readonly reason: string;
  readonly cachedTokens: number;
  /** URLs of the candidates, aligned with `scores`. */
  readonly candidates: readonly string[];
  readonly scores: readonly number[] | undefined;
}

/** As kept: candidates and reason are put into words only when somebody asks. */
interface PickRecord {
  readonly atSeconds: number;
  readonly requestId: string;
  readonly model: string | undefined;
  readonly promptTokens: number;
  readonly pick: Pick;
  readonly candidates: readonly Endpoint[];
}

/** How many model names are remembered after the last engine that served them left. */
const everSeenModelsMax = 10_000;

/**
 * Picks engines and keeps exact books.
 *
 * @example
 * const core = new RoutingCore({ policy, clock });
 * core.addEndpoint({ url: 'http://127.0.0.1:8001', models: ['qwen'] });
 * const ticket = core.route(request);
 * ticket.sent();
 * // … proxy to ticket.pick.endpoint.url …
 * ticket.firstByte();
 * ticket.finish({ status: 'completed' });
 */
export class RoutingCore {
  readonly policy: Policy;
  readonly #clock: Clock;
  readonly #aliases: ReadonlyMap<string, string>;
  readonly #records = new Map<string, EndpointRecord>();
  readonly #everSeenModels = new Set<string>();
  readonly #recent: RingBuffer<PickRecord>;
  readonly #told: ToldAttempts | undefined;
  readonly #heard: HeardAttempts;
  /** Model to its live engines; undefined stands for "any". Emptied whenever an engine changes. */
  readonly #candidates = new Map<string | undefined, readonly EndpointRecord[]>();

  constructor(options: RoutingCoreOptions) {
    this.policy = options.policy;
    this.#clock = options.clock;
    this.#aliases = options.aliases ?? new Map();
    this.#recent = new RingBuffer({ itemsMax: options.recentPicksMax ?? 256 });
    this.#told = options.onNews && new ToldAttempts(options.onNews);
    this.#heard = new HeardAttempts(options.policy);
  }

  /**
   * Picks an engine for a request.
   *
   * @param exclude URLs not to pick: those that already failed this request.
   * @throws {UnknownModelError} If no engine has ever served the model.
   * @throws {NoEndpointError} If none that serves it is live and not excluded.
   */
  route(request: RoutingRequest, exclude?: ReadonlySet<string>): Ticket {
    const model = this.resolveModel(request.model);
    const live = this.#liveEndpoints(model);
    const retry = exclude !== undefined && exclude.size > 0;
    const candidates = retry ? live.filter(({ url }) => !exclude.has(url)) : live;
    if (candidates.length === 0) throw this.#noEndpoint(model, exclude);

    const nowSeconds = this.#clock.nowSeconds();
    const pick = this.policy.pick(request, candidates, nowSeconds);
    const endpoint = this.#records.get(pick.endpoint.url);
    if (endpoint === undefined) {
      throw new RangeError(`Policy ${this.policy.name} picked ${pick.endpoint.url}, no candidate`);
    }
    this.#recent.push({
      atSeconds: nowSeconds,
      requestId: request.id,
      model,
      promptTokens: request.promptTokens,
      pick,
      candidates,
    });
    const [policy, clock, told] = [this.policy, this.#clock, this.#told];
    return new Ticket({ request, pick, endpoint, policy, clock, retry, told });
  }

  /**
   * Another router before the same engines tells of one of its attempts. It counts in the engine's load
   * and with the policy as one of ours would, and in no totals. Of an engine or an attempt that is not
   * known here, nothing is counted.
   *
   * @param router Its name among the routers.
   * @param agoSeconds How long ago it happened. @default 0
   */
  hear(router: string, news: AttemptNews, agoSeconds = 0): void {
    const atSeconds = this.#clock.nowSeconds() - agoSeconds;
    if (news.kind !== 'sent') this.#heard.went(router, news, atSeconds);
    else this.#heard.sent(router, news, this.#records.get(news.url), atSeconds);
  }

  /** The router is gone, or is not heard any more: its attempts leave the books. */
  forget(router: string): void {
    this.#heard.forget(router, this.#clock.nowSeconds());
  }

  /** This router's own attempts in flight, for a router that begins to listen; empty without `onNews`. */
  snapshot(): AgedNews[] {
    return [...(this.#told?.snapshot(this.#clock.nowSeconds()) ?? [])];
  }

  /** The model behind an alias; the name itself if it is none. */
  resolveModel(model: string | undefined): string | undefined {
    return model === undefined ? undefined : (this.#aliases.get(model) ?? model);
  }

  /** Adds an engine, or gives a known one new models. Its counts and state stay if it is known. */
  addEndpoint(options: EndpointOptions): void {
    const known = this.#records.get(options.url);
    if (known) {
      known.models = options.models;
      if (options.models.length > 0) known.silence = undefined;
      if (options.state) known.state = options.state;
      if (options.reason) known.reason = options.reason;
    } else {
      const { url, models, state = 'live', reason = 'added' } = options;
      this.#records.set(url, new EndpointRecord(url, models, state, reason));
    }
    for (const model of options.models) {
      if (this.#everSeenModels.size < everSeenModelsMax) this.#everSeenModels.add(model);
    }
    this.#candidates.clear();
  }

  /** Forgets an engine. Its open tickets may still finish. @returns Whether it was known. */
  removeEndpoint(url: string): boolean {
    const record = this.#records.get(url);
    if (!record) return false;
    this.#records.delete(url);
    this.#candidates.clear();
    this.policy.onEndpointReset?.(record);
    return true;
  }

  /** @param reason Why, in plain words; shown on /engines. @returns Whether the state changed. */
  setState(url: string, state: EndpointState, reason: string): boolean {
    const record = this.#records.get(url);
    if (!record) return false;
    const changed = record.state !== state;
    record.state = state;
    record.reason = reason;
    if (changed) this.#candidates.clear();
    return changed;
  }

  /** An engine was asked for its models in vain. @param why In plain words. */
  setModelsUnknown(url: string, why: string): void {
    const record = this.#records.get(url);
    if (record) record.silence = why;
  }

  /** What the engine says of itself. A new start time of its process voids its cache. */
  setReported(url: string, reported: ReportedLoad | undefined): void {
    const record = this.#records.get(url);
    if (!record) return;
    const before = record.reported?.startedAtSeconds;
    const now = reported?.startedAtSeconds;
    record.reported = reported;
    if (before !== undefined && now !== undefined && before !== now) this.endpointRestarted(url);
    if (reported !== undefined) this.policy.onReport?.(record, this.#clock.nowSeconds());
  }

  /** The engine lost its cache: its process is a new one, or its prefix cache was reset. */
  endpointRestarted(url: string): void {
    const record = this.#records.get(url);
    if (record) this.policy.onEndpointReset?.(record);
  }

  /** Every engine as it is now, in the order added. */
  endpoints(): EndpointStatus[] {
    return Array.from(this.#records.values(), statusOf);
  }

  endpoint(url: string): EndpointStatus | undefined {
    const record = this.#records.get(url);
    return record && statusOf(record);
  }

  /** Whether any engine is live: what /health answers. */
  get hasLiveEndpoint(): boolean {
    return this.#liveEndpoints(undefined).length > 0;
  }

  /** The last picks, oldest first. */
  recentPicks(): RecentPick[] {
    return Array.from(this.#recent, ({ pick, candidates, ...request }) => ({
      ...request,
      url: pick.endpoint.url,
      reason: pick.reason,
      cachedTokens: pick.cachedTokens,
      candidates: candidates.map(({ url }) => url),
      scores: pick.scores,
    }));
  }

  #liveEndpoints(model: string | undefined): readonly EndpointRecord[] {
    const cached = this.#candidates.get(model);
    if (cached) return cached;
    const live = [...this.#records.values()].filter(
      (record) => record.state === 'live' && (model === undefined || record.models.includes(model)),
    );
    // Clients choose model names, so only those that some engine serves are kept.
    if (live.length > 0) this.#candidates.set(model, live);
    return live;
  }

  #noEndpoint(model: string | undefined, exclude: ReadonlySet<string> | undefined): Error {
    if (model !== undefined && !this.#everSeenModels.has(model)) {
      const records = [...this.#records.values()];
      const served = new Set([...records.flatMap(({ models }) => models), ...this.#aliases.keys()]);
      const silent = new Map<string, string>();
      for (const { url, models, silence } of records) {
        if (models.length === 0 && silence !== undefined) silent.set(url, silence);
      }
      return new UnknownModelError(model, [...served], silent);
    }
    const rejections = new Map<string, string>();
    for (const { url, models, state, reason } of this.#records.values()) {
      if (model !== undefined && !models.includes(model)) continue;
      const tried = state === 'live' && exclude?.has(url);
      rejections.set(url, tried ? 'was already tried' : `is ${state} (${reason})`);
    }
    return new NoEndpointError(model, rejections);
  }
}
