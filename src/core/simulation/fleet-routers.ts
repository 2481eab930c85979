// The routers of a simulated fleet: routing cores with the policy objects of production, each with its
// own load counts and assumed cache contents, their messages to each other, and the KV events that reach
// them all.
import { type Clock, type Random, randomInteger, seededRandom } from '../base/index.ts';
import type { EngineListener } from '../engine/index.ts';
import { KvIndex } from '../kv/index.ts';
import {
  type AttemptUpdate,
  createPolicy,
  type ParameterValues,
  type Policy,
  type ReportedLoad,
  RoutingCore,
  type RoutingRequest,
  type SaturationLimits,
  type Ticket,
  type TierIndex,
} from '../routing/index.ts';
import { attemptOf } from './attempt.ts';
import { hashOf, storedEvent } from './fleet-request.ts';
import type { PolicyChoice } from './policy-choice.ts';

export interface FleetRoutersOptions {
  readonly policy: PolicyChoice;
  /** @default 1 */
  readonly routers?: number | undefined;
  /** @default 1 */
  readonly seed?: number | undefined;
  readonly policyParameters?: ParameterValues | undefined;
  /** Whether policies that do not require KV events use them. @default false */
  readonly kvEvents?: boolean | undefined;
  /** What engines have below their GPUs. @default unknown */
  readonly tiers?: TierIndex | undefined;
  /** @default false */
  readonly sharesAttempts?: boolean | undefined;
  /** When an engine counts as saturated; undefined: never. */
  readonly saturation?: SaturationLimits | undefined;
}

/** A message on its way from one router to all others. */
interface Letter {
  readonly from: number;
  readonly update: AttemptUpdate;
  readonly dueSeconds: number;
}

/**
 * Delay of an update from one router to another: at most one turn of the event loop on either side, and
 * one network hop. On an idle machine it is about 1 ms; a busy event loop has turns of several ms.
 */
const updateSeconds = 0.005;

export class FleetRouters {
  readonly #options: FleetRoutersOptions;
  readonly #kvIndex = new KvIndex();
  readonly #cores: readonly RoutingCore[];
  /** Which router receives a request. */
  readonly #random: Random;
  readonly #clock: Clock;
  /** In the order sent, which is the order of arrival. */
  #letters: Letter[] = [];

  /** @throws {RangeError} If one policy object is given for several routers. */
  constructor(options: FleetRoutersOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    const { routers = 1, seed = 1, sharesAttempts = false, saturation } = options;
    if (routers > 1 && typeof options.policy === 'object') {
      throw new RangeError('One policy object cannot serve several routers; give its name');
    }
    this.#random = seededRandom(seed + 1_000_000);
    this.#cores = Array.from({ length: routers }, (_, router) => {
      const policy = this.#policyOf(seed + router);
      const onUpdate = routers > 1 && sharesAttempts ? this.#teller(router) : undefined;
      return new RoutingCore({ policy, clock, recentPicksMax: 1, onUpdate, saturation });
    });
  }

  /** Delivers the routers' messages to each other, up to now. */
  deliverUpdates(): void {
    const nowSeconds = this.#clock.nowSeconds();
    const letters = this.#letters;
    let delivered = 0;
    for (; delivered < letters.length; delivered++) {
      const { from, update, dueSeconds } = letters[delivered] as Letter;
      if (dueSeconds > nowSeconds) break;
      for (let to = 0; to < this.#cores.length; to++) {
        if (to === from) continue;
        this.#cores[to]?.receive(`router-${from}`, update, nowSeconds - dueSeconds);
      }
    }
    if (delivered > 0) this.#letters = letters.slice(delivered);
  }

  addEngine(url: string): void {
    for (const core of this.#cores) core.addEndpoint({ url, models: ['m'] });
  }

  /**
   * Lets one of the routers pick.
   *
   * @param exclude URLs of engines that failed this request.
   * @throws {NoEndpointError} If no engine is left.
   */
  route(request: RoutingRequest, exclude: ReadonlySet<string> | undefined): Ticket {
    const routers = this.#cores.length;
    const router = routers === 1 ? 0 : randomInteger(this.#random, routers);
    return (this.#cores[router] as RoutingCore).route(request, exclude);
  }

  /** Lets one of the routers pick an idle engine for a second attempt. */
  routeHedge(request: RoutingRequest, tried: ReadonlySet<string>): Ticket | undefined {
    const routers = this.#cores.length;
    const router = routers === 1 ? 0 : randomInteger(this.#random, routers);
    return (this.#cores[router] as RoutingCore).routeHedge(request, tried);
  }

  /** Whether an engine would start one more request soon, in the view of any router. */
  hasRoom(): boolean {
    return this.#cores.some((core) => core.hasRoom('m'));
  }

  /** Whether no engine serves, and one may again, in the view of every router. */
  mayReturn(): boolean {
    return this.#cores.every((core) => core.mayReturn('m'));
  }

  /** An engine's report of its own load. */
  report(url: string, reported: ReportedLoad): void {
    for (const core of this.#cores) core.setReported(url, reported);
  }

  engineFailed(url: string): void {
    for (const core of this.#cores) core.setState(url, 'dead', 'failed');
    this.#kvIndex.removeEngine(url);
  }

  /** It gets nothing new, and finishes what it has. */
  engineDrains(url: string): void {
    for (const core of this.#cores) core.setState(url, 'draining', 'stops');
  }

  engineIsBack(url: string): void {
    for (const core of this.#cores) {
      core.endpointRestarted(url);
      core.setState(url, 'live', 'healthy again');
    }
  }

  /** Processes the KV events of an engine, if the policy uses any. */
  kvListener(url: string, blockSize: number): EngineListener {
    if (!this.#cores[0]?.policy.readsKvEvents) return {};
    return {
      blocksStored: (request, first, count) => {
        const { words, request: sent } = attemptOf(request);
        const known = sent.coversAnswer ? words() : words().subarray(0, sent.promptTokens);
        this.#kvIndex.apply(url, [storedEvent(request, known, first, count, blockSize)]);
      },
      blockRemoved: (key) => {
        const blockHashes = [hashOf(key)];
        this.#kvIndex.apply(url, [{ type: 'BlockRemoved', blockHashes, medium: 'GPU' }]);
      },
    };
  }

  #teller(from: number): (update: AttemptUpdate) => void {
    return (update) => {
      this.#letters.push({ from, update, dueSeconds: this.#clock.nowSeconds() + updateSeconds });
    };
  }

  #policyOf(seed: number): Policy {
    const {
      policy,
      policyParameters: parameters,
      kvEvents: followsKvEvents = false,
    } = this.#options;
    if (typeof policy === 'object') return policy;
    const [random, kvIndex] = [seededRandom(seed), this.#kvIndex];
    const { tiers } = this.#options;
    const options = { random, kvIndex, followsKvEvents, tiers, parameters };
    return typeof policy === 'function' ? policy(options) : createPolicy(policy, options);
  }
}
