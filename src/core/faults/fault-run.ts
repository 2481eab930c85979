// One fault run: clients, routers and engines on a virtual clock, with all events and faults drawn from one
// seed. Routing core, policies, attempt machine and engine model are those of production.
import { AttemptMachine } from '../attempts/index.ts';
import { type Random, randomExponential, randomInteger, seededRandom } from '../base/index.ts';
import type { AttemptUpdate, RoutingRequest } from '../routing/index.ts';
import { FaultDice } from './fault-dice.ts';
import type { FaultName } from './fault-options.ts';
import { type FaultSettings, faultSettings, type MachineFactory } from './fault-settings.ts';
import { FaultyEngine } from './faulty-engine.ts';
import { FaultyRequest } from './faulty-request.ts';
import { FaultyRouter } from './faulty-router.ts';
import { Invariants } from './invariants.ts';
import { strikeInTurn } from './strikes.ts';
import { Timeline } from './timeline.ts';
import { InvariantViolation } from './violation.ts';

export interface FaultRunResult {
  readonly seed: number;
  readonly requests: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly reroutes: number;
  /** Requests that waited in a router, and those that were not admitted. */
  readonly queued: number;
  readonly rejected: number;
  /** Requests that were sent to two engines at once, and those among them that got the second one's response. */
  readonly hedges: number;
  readonly hedgesWon: number;
  readonly events: number;
  /** Virtual duration. */
  readonly seconds: number;
  /** Number of occurrences of each fault. */
  readonly struck: ReadonlyMap<FaultName, number>;
}

/** A run violated an invariant; its seed replays it. */
export class FaultRunError extends Error {
  override readonly name = 'FaultRunError';
  readonly seed: number;
  /** The last events before it, oldest first. */
  readonly trail: readonly string[];

  constructor(seed: number, timeline: Timeline, cause: Error) {
    super(
      `Seed ${seed}, event ${timeline.played}, ${timeline.nowSeconds.toFixed(4)} s: ${cause.message}. ` +
        `Replay it with node bench/faults.ts --seeds 1 --first-seed ${seed}.`,
      { cause },
    );
    this.seed = seed;
    this.trail = timeline.trail;
  }
}

/**
 * Runs one seed to its end.
 *
 * @param changes Settings that override those drawn from the seed.
 * @throws {FaultRunError} If an invariant is violated.
 * @example playFaults(7).completed
 */
export function playFaults(seed: number, changes: Partial<FaultSettings> = {}): FaultRunResult {
  const run = new FaultRun({ ...faultSettings(seed), ...changes });
  return run.play();
}

/** One-way network delay: 0.2 to 2 ms. */
const delaySecondsMin = 0.0002;
const delaySecondsSpan = 0.0018;
const updateDelaySeconds = 0.003;
const promptTokensMax = 400;
/** Share of prompts that no engine accepts. */
const tooLongShare = 0.02;
const tooLongTokens = 700;
const outputTokensDefault = 24;
const familiesMax = 5;
const bytesPerToken = 4;
/** With more events than these, a run would not end. */
const eventsMin = 200_000;
const eventsPerRequestMax = 1_000;

const newMachine: MachineFactory = (effects, policy, watch, patience, hedges) =>
  new AttemptMachine(effects, policy, undefined, watch, patience, hedges);

class FaultRun {
  readonly #settings: FaultSettings;
  readonly #timeline = new Timeline();
  readonly #random: Random;
  readonly #dice: FaultDice;
  readonly #invariants: Invariants;
  readonly #engines: readonly FaultyEngine[];
  readonly #engineOf: ReadonlyMap<string, FaultyEngine>;
  readonly #routers: FaultyRouter[] = [];
  /** Requests that have arrived and not ended. */
  readonly #open = new Set<FaultyRequest>();
  #arrived = 0;
  /** Arrival of the last message in transit from one router to another; messages keep their order. */
  readonly #updatesDue = new Map<string, number>();
  #updatesInFlight = 0;
  #restarts = 0;

  constructor(settings: FaultSettings) {
    const { seed, engines, routers, retryPolicy, faults, faultyEngines = engines } = settings;
    this.#settings = settings;
    // A separate stream from that of the settings, so that changing a setting does not change the traffic.
    this.#random = seededRandom(seed + 1_000_000);
    this.#dice = new FaultDice(seededRandom(seed + 2_000_000), faults);
    const queuedRequestsMax = settings.admission?.queuedRequestsMax ?? 0;
    this.#invariants = new Invariants(retryPolicy, queuedRequestsMax, this.#timeline.clock);
    this.#engines = Array.from({ length: engines }, (_, i) => {
      const dice = i < faultyEngines ? this.#dice : new FaultDice(this.#random, {});
      return new FaultyEngine(`http://engine-${i}`, this.#timeline, dice);
    });
    this.#engineOf = new Map(this.#engines.map((engine) => [engine.url, engine]));
    for (let i = 0; i < routers; i++) this.#routers.push(this.#newRouter(`router-${i}`));
  }

  play(): FaultRunResult {
    const { seed, requests, strikes } = this.#settings;
    this.#awaitArrival();
    if (strikes !== undefined) {
      strikeInTurn(this.#timeline, this.#engines, strikes, () => this.#arrived === requests);
    }
    try {
      while (!this.#isOver()) this.#step();
      // Engines notice pending disconnections within a moment.
      const endSeconds = this.#timeline.nowSeconds + 1;
      while (this.#timeline.nowSeconds < endSeconds) this.#step();
      this.#invariants.checkEnd(this.#routers, this.#engines);
    } catch (error) {
      if (!(error instanceof InvariantViolation)) throw error;
      throw new FaultRunError(seed, this.#timeline, error);
    }
    return {
      ...{ seed, requests, ...this.#invariants.outcomes, reroutes: this.#invariants.reroutes },
      ...{ hedges: this.#invariants.hedges, hedgesWon: this.#invariants.hedgesWon },
      ...{ queued: this.#invariants.queued, rejected: this.#invariants.rejected },
      ...{ events: this.#timeline.played, seconds: this.#timeline.nowSeconds },
      struck: this.#dice.struck,
    };
  }

  #step(): void {
    const eventsMax = eventsMin + eventsPerRequestMax * this.#settings.requests;
    if (!this.#timeline.step() || this.#timeline.played > eventsMax) {
      throw new InvariantViolation(`The run does not end: ${this.#timeline.played} events`);
    }
    this.#invariants.check(this.#routers);
  }

  #isOver(): boolean {
    return (
      this.#updatesInFlight === 0 &&
      this.#open.size === 0 &&
      this.#arrived === this.#settings.requests
    );
  }

  #awaitArrival(): void {
    if (this.#arrived === this.#settings.requests) return;
    const index = this.#arrived;
    const gapSeconds = randomExponential(this.#random, this.#settings.gapSeconds);
    this.#timeline.after(gapSeconds, `request ${index} arrives`, () => {
      this.#arrived++;
      this.#arrive(index);
      this.#awaitArrival();
    });
  }

  #arrive(index: number): void {
    const { createMachine = newMachine, retryPolicy, patience } = this.#settings;
    const { outputTokensMax = outputTokensDefault } = this.#settings;
    const random = this.#random;
    const isTooLong = random.next() < tooLongShare;
    const promptTokens = isTooLong ? tooLongTokens : 1 + randomInteger(random, promptTokensMax);
    const family = randomInteger(random, familiesMax);
    const outputTokens = 1 + randomInteger(random, outputTokensMax);
    const router = this.#routers[randomInteger(random, this.#routers.length)] as FaultyRouter;
    const { hedging, watch } = router;
    const hedges = hedging && { hedging, model: 'm' };
    this.#invariants.arrived(router);
    const request = new FaultyRequest({
      name: `request ${index}`,
      router,
      ...{ settings: this.#settings, timeline: this.#timeline, invariants: this.#invariants },
      engineOf: this.#engineOf,
      routingRequest: routingRequest(index, promptTokens, family),
      sent: { promptTokens, outputTokens, sentTokens: 0, family },
      priority: index % 3,
      delaySeconds: () => delaySecondsMin + random.next() * delaySecondsSpan,
      createMachine: (effects) => createMachine(effects, retryPolicy, watch, patience, hedges),
      onOver: () => this.#open.delete(request),
    });
    this.#open.add(request);
    const leaves = this.#dice.draw('clientLeaves');
    if (leaves) {
      const seconds = this.#dice.random.next() * leaves.seconds;
      this.#timeline.after(seconds, `client of request ${index} leaves`, () => request.leave());
    }
    if (this.#dice.draw('routerRestarts')) {
      const seconds = this.#dice.random.next();
      const { name } = request.router;
      this.#timeline.after(seconds, `${name} restarts`, () => this.#restart(request.router));
    }
    request.start();
  }

  #newRouter(name: string): FaultyRouter {
    const { routers, policy, deadlines, admission, hedging } = this.#settings;
    return new FaultyRouter({
      ...{ name, policy, deadlines, admission, hedging },
      ...{ timeline: this.#timeline, engines: this.#engines },
      random: this.#random,
      onUpdate:
        routers === 1
          ? undefined
          : (from, update) => this.#tell(from, `update ${update.kind} ${update.attempt}`, update),
    });
  }

  /** Ends its requests; other routers forget it, and its successor receives the attempts in flight. */
  #restart(router: FaultyRouter): void {
    const index = this.#routers.indexOf(router);
    if (index < 0) return;
    for (const request of [...this.#open]) if (request.router === router) request.leave();
    this.#invariants.checkStopped(router);
    router.isUp = false;
    this.#tell(router, 'end of updates', undefined);
    const next = this.#newRouter(`router-${index}-${++this.#restarts}`);
    this.#routers[index] = next;
    for (const peer of this.#routers) {
      if (peer === next) continue;
      for (const { update, agoSeconds } of peer.core.snapshot()) {
        next.receive(peer.name, update, agoSeconds);
      }
    }
  }

  /** @param update Undefined at the end of the stream. */
  #tell(from: FaultyRouter, what: string, update: AttemptUpdate | undefined): void {
    for (const to of this.#routers) {
      if (to === from) continue;
      const way = `${from.name} to ${to.name}`;
      const late = this.#dice.draw('lateUpdates')?.seconds ?? 0;
      const { nowSeconds } = this.#timeline;
      const due = Math.max(nowSeconds + updateDelaySeconds + late, this.#updatesDue.get(way) ?? 0);
      this.#updatesDue.set(way, due);
      this.#updatesInFlight++;
      this.#timeline.at(due, `${way}: ${what}`, () => {
        this.#updatesInFlight--;
        if (!to.isUp) return;
        if (update === undefined) to.forget(from.name);
        else this.#hear(to, from, update);
      });
    }
  }

  #hear(to: FaultyRouter, from: FaultyRouter, update: AttemptUpdate): void {
    const url = to.heardUrl(from.name, update.attempt);
    const isFailure = update.kind === 'finished' && update.broke === true;
    if (isFailure && url !== undefined) this.#invariants.heardFailure(to, from, url);
    to.receive(from.name, update);
  }
}

/** The longest prompt of each family; all are prefixes of it. */
const familyPrompts = Array.from({ length: familiesMax }, (_, family) => ({
  bytes: new Uint8Array(tooLongTokens * bytesPerToken).fill(family + 1),
  tokens: new Uint32Array(tooLongTokens).fill(family + 1),
}));

/** A prompt that shares its beginning with all prompts of its family. */
function routingRequest(index: number, promptTokens: number, family: number): RoutingRequest {
  const { bytes, tokens } = familyPrompts[family] as (typeof familyPrompts)[number];
  return {
    ...{ id: String(index), model: 'm', session: `session ${family}` },
    prompt: [bytes.subarray(0, promptTokens * bytesPerToken)],
    ...{ promptTokens, tokens: tokens.subarray(0, promptTokens) },
    ...{ outputTokensMax: undefined, stream: true },
  };
}
