// A router of a fault run: production's routing core, health checks, and updates from other routers.
import {
  Admission,
  AttemptWatch,
  type DeadlineSettings,
  Hedging,
  hedgeTickSeconds,
} from '../attempts/index.ts';
import { type Random, seededRandom } from '../base/index.ts';
import { type AttemptUpdate, createPolicy, RoutingCore } from '../routing/index.ts';
import type { FaultAdmission, FaultHedging } from './fault-settings.ts';
import type { FaultyEngine } from './faulty-engine.ts';
import type { Timeline } from './timeline.ts';

export interface FaultyRouterOptions {
  /** Never reused: a restarted router has a new name. */
  readonly name: string;
  readonly policy: string;
  readonly random: Random;
  readonly timeline: Timeline;
  readonly engines: readonly FaultyEngine[];
  readonly deadlines: DeadlineSettings;
  readonly admission: FaultAdmission | undefined;
  readonly hedging: FaultHedging | undefined;
  /** Undefined for a single router. */
  readonly onUpdate: ((from: FaultyRouter, update: AttemptUpdate) => void) | undefined;
}

/** Interval between health checks, of live engines too, to keep runs short. */
const probeSeconds = 1;
/** Interval between checks of deadlines: production's `tickMs`. */
const tickSeconds = 0.25;

export class FaultyRouter {
  readonly name: string;
  readonly core: RoutingCore;
  /** Checks the deadlines of its requests. */
  readonly watch: AttemptWatch;
  /** Undefined if requests do not wait in the router. */
  readonly admission: Admission | undefined;
  /** Undefined if requests are never sent to two engines at once. */
  readonly hedging: Hedging | undefined;
  /** Hedges per request that are allowed. */
  readonly hedgeShare: number;
  /** Engines that this router considers dead. */
  readonly out = new Set<string>();
  /** Until when it last considered all of them dead. */
  emptySeconds = Number.NEGATIVE_INFINITY;
  /** Whether its process is running. */
  isUp = true;
  /** Number of other routers' attempts that it should count, by engine. */
  readonly peerInflight = new Map<string, number>();
  /** Whether its loads may have changed since the last check. */
  isTouched = false;
  /** Engines of other routers' attempts, by router and attempt number. */
  readonly #heardAttempts = new Map<string, string>();
  readonly #timeline: Timeline;
  readonly #engines: readonly FaultyEngine[];

  constructor(options: FaultyRouterOptions) {
    const { name, policy, random, timeline, engines, deadlines, onUpdate } = options;
    const { admission, hedging } = options;
    this.name = name;
    this.#timeline = timeline;
    this.#engines = engines;
    this.core = new RoutingCore({
      policy: createPolicy(policy, { random: seededRandom(random.next() * 2 ** 32) }),
      clock: timeline.clock,
      recentPicksMax: 1,
      saturation: admission?.saturation,
      onUpdate: onUpdate && ((update) => onUpdate(this, update)),
      onPeerVerdict: ({ url, outcome, tookSeconds }) => this.watch.heard(url, outcome, tookSeconds),
    });
    this.admission =
      admission &&
      new Admission({
        queueTimeoutSeconds: admission.queueTimeoutSeconds,
        queuedRequestsMax: admission.queuedRequestsMax,
        ...{ clock: timeline.clock, random, hasRoom: (model) => this.core.hasRoom(model) },
        mayReturn: (model) => this.core.mayReturn(model),
      });
    this.watch = new AttemptWatch(timeline.clock, deadlines, (url) =>
      this.core.eject(url, 'no data on any stream'),
    );
    this.hedgeShare = hedging?.budgetShare ?? 0;
    this.hedging =
      hedging &&
      new Hedging({
        ...{ clock: timeline.clock, budgetShare: hedging.budgetShare },
        delays: { delaySeconds: () => hedging.delaySeconds, observe: () => {} },
      });
    for (const { url } of engines) this.core.addEndpoint({ url, models: ['m'] });
    this.#probe();
    this.#tick();
    if (this.hedging !== undefined) this.#hedge(this.hedging);
  }

  /** An attempt found the engine dead. */
  engineOut(url: string, why: string): void {
    this.out.add(url);
    this.core.setState(url, 'dead', why);
  }

  /** A request has started or ended at an engine: others are admitted in an event of their own. */
  roomMade(): void {
    if (!this.admission?.isStanding) return;
    this.#timeline.after(0, `${this.name} admits requests`, () => {
      if (this.isUp) this.admission?.release();
    });
  }

  /** Receives an update from another router. */
  receive(from: string, update: AttemptUpdate, agoSeconds = 0): void {
    const key = `${from} ${update.attempt}`;
    if (update.kind === 'sent') {
      this.#heardAttempts.set(key, update.url);
      this.#count(update.url, 1);
    }
    if (update.kind === 'finished') this.#drop(key);
    this.core.receive(from, update, agoSeconds);
    this.isTouched = true;
  }

  /** The engine of another router's attempt in flight. */
  heardUrl(from: string, attempt: number): string | undefined {
    return this.#heardAttempts.get(`${from} ${attempt}`);
  }

  /** The update stream of another router has ended. */
  forget(from: string): void {
    for (const key of this.#heardAttempts.keys()) if (key.startsWith(`${from} `)) this.#drop(key);
    this.core.forget(from);
    this.isTouched = true;
  }

  #drop(key: string): void {
    const url = this.#heardAttempts.get(key);
    if (url === undefined) return;
    this.#heardAttempts.delete(key);
    this.#count(url, -1);
  }

  #count(url: string, change: number): void {
    this.peerInflight.set(url, (this.peerInflight.get(url) ?? 0) + change);
  }

  #tick(): void {
    if (!this.isUp) return;
    this.watch.check();
    this.admission?.tick();
    this.#timeline.after(tickSeconds, `${this.name} checks the deadlines`, () => this.#tick());
  }

  #hedge(hedging: Hedging): void {
    if (!this.isUp) return;
    hedging.check();
    this.#timeline.after(hedgeTickSeconds, `${this.name} hedges`, () => this.#hedge(hedging));
  }

  #probe(): void {
    if (!this.isUp) return;
    for (const { url, accepts, life, stats } of this.#engines) {
      if (!accepts) {
        this.engineOut(url, '/health: ECONNREFUSED');
        continue;
      }
      if (this.out.size === this.#engines.length) this.emptySeconds = this.#timeline.nowSeconds;
      this.out.delete(url);
      this.core.setState(url, 'live', 'healthy');
      const { running, waiting, kvUsage } = stats;
      const atSeconds = this.#timeline.nowSeconds;
      this.core.setReported(url, { atSeconds, running, waiting, kvUsage, startedAtSeconds: life });
    }
    this.#timeline.after(probeSeconds, `${this.name} checks the engines`, () => this.#probe());
  }
}
