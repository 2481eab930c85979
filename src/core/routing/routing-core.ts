// The router's logic without its sockets: which engines exist, what load each has, and
// which one gets the next request. The production router and the simulator run the same code.
import type { Clock } from '../base/index.ts';
import type { AgedUpdate, AttemptUpdate } from './attempt-update.ts';
import type { EngineRole, Policy, ReportedLoad, RoutingRequest } from './contract.ts';
import {
  type EndpointRecord,
  type EndpointState,
  type EndpointStatus,
  statusOf,
} from './endpoint-record.ts';
import { type EndpointOptions, EndpointTable } from './endpoint-table.ts';
import type { SaturationLimits } from './engine-queue.ts';
import { ModelAliases } from './model-aliases.ts';
import { OutlierEjection } from './outlier-ejection.ts';
import { PeerAttempts, type PeerEnd } from './peer-attempts.ts';
import { PublishedAttempts } from './published-attempts.ts';
import { type RecentPick, RecentPicks } from './recent-picks.ts';
import { SlowStart } from './slow-start.ts';
import { Ticket, type TicketContext } from './ticket.ts';

export interface RoutingCoreOptions {
  readonly policy: Policy;
  readonly clock: Clock;
  /** Model alias, as clients use it, to model name. */
  readonly aliases?: ReadonlyMap<string, string> | undefined;
  /** Time in which the share of an engine that has just started grows; 0 for none. @default 10 */
  readonly slowStartSeconds?: number | undefined;
  /** How many picks `recentPicks` keeps. @default 256 */
  readonly recentPicksMax?: number | undefined;
  /**
   * Publishes each attempt to peer routers in front of the same engines. Called in the middle of a pick: updates
   * must be sent later. Without it, no updates are created or kept.
   */
  readonly onUpdate?: ((update: AttemptUpdate) => void) | undefined;
  /** A peer's attempt has ended: what its end says about the engine. */
  readonly onPeerVerdict?: ((verdict: PeerVerdict) => void) | undefined;
  /** When an engine counts as saturated; undefined: never. */
  readonly saturation?: SaturationLimits | undefined;
}

/** What a peer router saw of an engine. Cancelled attempts and refused ones say nothing. */
export interface PeerVerdict {
  readonly url: string;
  /** `broke`: the engine failed after it had received the request. */
  readonly outcome: 'completed' | 'broke';
  /** From the sending of its request. */
  readonly tookSeconds: number;
}

/**
 * Picks engines and keeps exact load counts.
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
  readonly #clock: Clock;
  #policy: Policy;
  #aliases: ModelAliases;
  readonly #endpoints = new EndpointTable();
  readonly #recent: RecentPicks;
  readonly #published: PublishedAttempts | undefined;
  readonly #peers: PeerAttempts;
  readonly #onPeerVerdict: ((verdict: PeerVerdict) => void) | undefined;
  readonly #slowStart: SlowStart;
  readonly #ejection = new OutlierEjection((record, nowSeconds) =>
    this.#slowStart.begin(record, nowSeconds),
  );
  readonly #tickets: TicketContext;
  readonly #saturation: SaturationLimits | undefined;
  readonly #hasServed = (model: string): boolean => this.#endpoints.hasServed(model);

  constructor(options: RoutingCoreOptions) {
    this.#policy = options.policy;
    this.#clock = options.clock;
    this.#aliases = new ModelAliases(options.aliases ?? new Map());
    this.#slowStart = new SlowStart(options.slowStartSeconds);
    this.#recent = new RecentPicks(options.recentPicksMax ?? 256);
    this.#published = options.onUpdate && new PublishedAttempts(options.onUpdate);
    this.#tickets = {
      clock: options.clock,
      published: this.#published,
      ejection: this.#ejection,
    };
    this.#peers = new PeerAttempts(options.policy, (end) => this.#peerEnded(end));
    this.#onPeerVerdict = options.onPeerVerdict;
    this.#saturation = options.saturation;
  }

  get policy(): Policy {
    return this.#policy;
  }

  /** Model alias, as clients use it, or pattern with a star, to model name. */
  get aliases(): ReadonlyMap<string, string> {
    return this.#aliases.all;
  }

  /** Uses another policy from now on. Attempts in flight report to the policy that picked them. */
  setPolicy(policy: Policy): void {
    this.#policy = policy;
    this.#peers.setPolicy(policy);
  }

  setAliases(aliases: ReadonlyMap<string, string>): void {
    this.#aliases = new ModelAliases(aliases);
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
    const { pinnedUrl, leg } = request;
    const all = this.#endpoints.live(model);
    const named = pinnedUrl === undefined ? all : this.#pinned(request, all);
    const live = leg === undefined ? named : named.filter(({ role }) => role === leg);
    const retry = exclude !== undefined && exclude.size > 0;
    const left = retry ? live.filter(({ url }) => !exclude.has(url)) : live;
    if (left.length === 0) {
      throw this.#endpoints.refusal({ model, exclude, pinnedUrl, leg, aliases: this.aliases });
    }

    const nowSeconds = this.#clock.nowSeconds();
    const admitted = this.#ejection.admitted(left, nowSeconds, !retry);
    const withRoom = this.#withRoom(admitted, nowSeconds);
    const candidates = this.#slowStart.admitted(withRoom, request, nowSeconds);
    return this.#ticket(request, { model, live, candidates, retry, isHedge: false }, nowSeconds);
  }

  /**
   * For how long no engine has been live that serves the request's model; undefined while there is one, Infinity if there
   * never was, or if the request is for one engine.
   */
  secondsWithoutEngine({ model, pinnedUrl, leg }: RoutingRequest): number | undefined {
    if (pinnedUrl !== undefined) return Number.POSITIVE_INFINITY;
    const resolved = this.resolveModel(model);
    const live = this.#endpoints.live(resolved);
    if (live.some(({ role }) => leg === undefined || role === leg)) return undefined;
    return this.#clock.nowSeconds() - this.#endpoints.leftSeconds(resolved);
  }

  /**
   * Picks an idle engine for a request that another engine has and is late with: one that has started all its requests.
   *
   * @param exclude URLs of the engines that have or had the request.
   * @returns Undefined if no other engine is idle.
   */
  routeHedge(request: RoutingRequest, exclude: ReadonlySet<string>): Ticket | undefined {
    const model = this.resolveModel(request.model);
    const live = this.#endpoints.live(model);
    const nowSeconds = this.#clock.nowSeconds();
    const idle = live.filter(
      (record) =>
        !exclude.has(record.url) &&
        !this.#ejection.isEjected(record) &&
        record.queue.isIdle(record.load, nowSeconds),
    );
    if (idle.length === 0) return undefined;
    const candidates = this.#slowStart.admitted(idle, request, nowSeconds);
    if (candidates.length === 0) return undefined;
    return this.#ticket(
      request,
      { model, live, candidates, retry: false, isHedge: true },
      nowSeconds,
    );
  }

  /**
   * Applies an update from a peer router about one of its attempts. The attempt counts in the engine's load
   * and with the policy like one of ours, but not in totals. Updates about an unknown engine or attempt are
   * ignored.
   *
   * @param router The peer router's id.
   * @param agoSeconds How long ago it happened. @default 0
   */
  receive(router: string, update: AttemptUpdate, agoSeconds = 0): void {
    const atSeconds = this.#clock.nowSeconds() - agoSeconds;
    if (update.kind !== 'sent') this.#peers.went(router, update, atSeconds);
    else this.#peers.sent(router, update, this.#endpoints.get(update.url), atSeconds);
  }

  /** The router is gone or disconnected: its attempts no longer count. */
  forget(router: string): void {
    this.#peers.forget(router, this.#clock.nowSeconds());
  }

  /** This router's own attempts in flight, for a router that connects; empty without `onUpdate`. */
  snapshot(): AgedUpdate[] {
    return [...(this.#published?.snapshot(this.#clock.nowSeconds()) ?? [])];
  }

  /** The model behind an alias; the name itself if it is not an alias. */
  resolveModel(model: string | undefined): string | undefined {
    return model === undefined ? undefined : this.#aliases.resolve(model, this.#hasServed);
  }

  /** Adds an engine, or gives a known one new models. A known engine keeps its counts and state. */
  addEndpoint(options: EndpointOptions): void {
    const added = this.#endpoints.add(options);
    if (added?.state === 'live') this.#slowStart.begin(added, this.#clock.nowSeconds());
  }

  /**
   * Removes an engine, and with it the attempts of peer routers there. Its open tickets may still
   * finish. @returns Whether it was known.
   */
  removeEndpoint(url: string): boolean {
    const nowSeconds = this.#clock.nowSeconds();
    const record = this.#endpoints.remove(url, nowSeconds);
    if (!record) return false;
    this.#peers.forgetEndpoint(record, nowSeconds);
    this.#ejection.forget(record);
    this.#slowStart.forget(record);
    this.policy.onEndpointReset?.(record);
    return true;
  }

  /** @param reason Why, in plain words; shown on /engines. @returns Whether the state changed. */
  setState(url: string, state: EndpointState, reason: string): boolean {
    const record = this.#endpoints.get(url);
    if (!record) return false;
    const nowSeconds = this.#clock.nowSeconds();
    const changed = this.#endpoints.setState(record, state, reason, nowSeconds);
    if (changed && state === 'live') this.#slowStart.begin(record, nowSeconds);
    return changed;
  }

  /** @param role Undefined for an engine that does the whole of a request. */
  setRole(url: string, role: EngineRole | undefined): void {
    const record = this.#endpoints.get(url);
    if (record) record.role = role;
  }

  /** A request for an engine's models failed. @param why In plain words. */
  setModelsUnknown(url: string, why: string): void {
    const record = this.#endpoints.get(url);
    if (record) record.silence = why;
  }

  /** Stores the engine's report. A new start time of its process voids assumptions about its cache. */
  setReported(url: string, reported: ReportedLoad | undefined): void {
    const record = this.#endpoints.get(url);
    if (!record) return;
    const before = record.reported?.startedAtSeconds;
    const now = reported?.startedAtSeconds;
    record.reported = reported;
    record.queue.reported(reported, record.load);
    if (before !== undefined && now !== undefined && before !== now) {
      this.endpointRestarted(url);
      this.#slowStart.begin(record, this.#clock.nowSeconds());
    }
    if (reported !== undefined) this.policy.onReport?.(record, this.#clock.nowSeconds());
  }

  /** The engine lost its cache: it restarted, or its prefix cache was reset. */
  endpointRestarted(url: string): void {
    const record = this.#endpoints.get(url);
    if (record === undefined) return;
    this.#ejection.forget(record);
    this.policy.onEndpointReset?.(record);
  }

  /** Takes an engine out of routing for a while, unless too many are out. @param why In plain words. */
  eject(url: string, why: string): void {
    const record = this.#endpoints.get(url);
    if (record === undefined) return;
    const candidates = this.#endpoints.live(record.models[0]);
    this.#ejection.eject(record, candidates, this.#clock.nowSeconds(), why);
  }

  /** Whether an engine is out of routing for a while because it failed too often. */
  isEjected(url: string): boolean {
    const record = this.#endpoints.get(url);
    return record !== undefined && this.#ejection.isEjected(record);
  }

  /** The current state of every engine, in the order added. */
  endpoints(): EndpointStatus[] {
    return Array.from(this.#endpoints.all, statusOf);
  }

  /** The same without copies, for large fleets: what is read changes with the next request. */
  liveView(): Iterable<EndpointStatus> {
    return this.#endpoints.all;
  }

  endpoint(url: string): EndpointStatus | undefined {
    const record = this.#endpoints.get(url);
    return record && statusOf(record);
  }

  /** Undefined for an engine that is unknown. */
  stateOf(url: string): EndpointState | undefined {
    return this.#endpoints.get(url)?.state;
  }

  /** Whether any engine is live: the result of /health. */
  get hasLiveEndpoint(): boolean {
    return this.#endpoints.live(undefined).length > 0;
  }

  /** Number of engines among which a request for this model is picked now. */
  candidateCount(model: string | undefined): number {
    return this.#endpoints.live(model).length;
  }

  /**
   * Whether an engine that serves the model would start one more request soon. True if none serves it: see
   * `mayReturn`.
   */
  hasRoom(model: string | undefined): boolean {
    if (this.#saturation === undefined) return true;
    const live = this.#endpoints.live(this.resolveModel(model));
    const nowSeconds = this.#clock.nowSeconds();
    for (const record of live) {
      if (!this.#ejection.isEjected(record) && !this.#isSaturated(record, nowSeconds)) return true;
    }
    return live.length === 0;
  }

  /**
   * Whether no engine serves the model now, but one may again: one has, or there has been no engine at all yet, as when
   * a router starts beside a fleet of none.
   */
  mayReturn(model: string | undefined): boolean {
    return this.#endpoints.mayReturn(this.resolveModel(model));
  }

  /** Whether a request sent there now would only wait; false without `saturation`. */
  isSaturated(url: string): boolean {
    const record = this.#endpoints.get(url);
    return record !== undefined && this.#isSaturated(record, this.#clock.nowSeconds());
  }

  /** The last picks, oldest first. */
  recentPicks(): RecentPick[] {
    return this.#recent.all();
  }

  /**
   * The engine of a request that is for one engine only; empty if it cannot take it. One that has what no other engine has is tried
   * in any state: only its answer shows whether an engine that is held for dead is.
   */
  #pinned(
    { pinnedUrl = '', isKept }: RoutingRequest,
    live: readonly EndpointRecord[],
  ): readonly EndpointRecord[] {
    const named = live.filter(({ url }) => url === pinnedUrl);
    if (named.length > 0 || isKept !== true) return named;
    const record = this.#endpoints.get(pinnedUrl);
    return record === undefined ? [] : [record];
  }

  #peerEnded({ endpoint, update, sentSeconds, atSeconds }: PeerEnd): void {
    const { status, broke } = update;
    if (status === 'failed') this.#ejection.failedElsewhere(endpoint, atSeconds);
    else if (status === 'completed') this.#ejection.succeededElsewhere(endpoint, sentSeconds);
    if (status !== 'completed' && broke !== true) return;
    const outcome = status === 'completed' ? status : 'broke';
    this.#onPeerVerdict?.({ url: endpoint.url, outcome, tookSeconds: atSeconds - sentSeconds });
  }

  /** Lets the policy pick one of the candidates. */
  #ticket(
    request: RoutingRequest,
    among: {
      readonly model: string | undefined;
      readonly live: readonly EndpointRecord[];
      readonly candidates: readonly EndpointRecord[];
      readonly retry: boolean;
      readonly isHedge: boolean;
    },
    nowSeconds: number,
  ): Ticket {
    const { model, live, candidates, retry, isHedge } = among;
    const pick = this.policy.pick(request, candidates, nowSeconds);
    const endpoint = this.#endpoints.get(pick.endpoint.url);
    if (endpoint === undefined) {
      throw new RangeError(
        `Policy ${this.policy.name} picked ${pick.endpoint.url}, which is not a candidate`,
      );
    }
    this.#recent.add({
      atSeconds: nowSeconds,
      requestId: request.id,
      model,
      promptTokens: request.promptTokens,
      pick,
      candidates,
      isHedge,
    });
    return new Ticket(this.#tickets, {
      request,
      pick,
      endpoint,
      policy: this.policy,
      retry,
      isHedge,
      isTrial: this.#ejection.picked(endpoint, nowSeconds),
      alternatives: live,
    });
  }

  #isSaturated(record: EndpointRecord, nowSeconds: number): boolean {
    const limits = this.#saturation;
    if (limits === undefined) return false;
    const predicted = this.#policy.waitSeconds?.(record, nowSeconds);
    return record.queue.isSaturated(record.load, predicted, nowSeconds, limits);
  }

  /**
   * The engines that are not saturated, or all if all are: a policy may prefer one whose queue is long while
   * others have room, for its cache or because it does not look at load.
   */
  #withRoom(records: readonly EndpointRecord[], nowSeconds: number): readonly EndpointRecord[] {
    if (this.#saturation === undefined) return records;
    const left = records.filter((record) => !this.#isSaturated(record, nowSeconds));
    return left.length === 0 || left.length === records.length ? records : left;
  }
}
