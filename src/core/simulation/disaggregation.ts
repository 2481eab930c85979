// Disaggregated prefill and decode: which engine has which role, the prompts in transfer between them,
// and the time until the request is sent to the second engine.
import { KvExchange, type KvExchangeEngine, type LostHandoff } from '../engine/index.ts';
import type { Attempt } from './attempt.ts';
import type { PolicyChoice } from './fleet-options.ts';
import { HandoffLog } from './handoff-log.ts';

export type EngineRole = 'prefill' | 'decode';

/** Engines that prefill and engines that decode, instead of engines that do both. */
export interface Disaggregation {
  /** By engine; at least one of each. */
  readonly roles: readonly EngineRole[];
  /** By engine: its link to the network between them. */
  readonly links: readonly KvExchangeEngine[];
  readonly latencySeconds: number;
  /** Picks the engine that decodes; the fleet's own policy picks the one that prefills. */
  readonly decodePolicy: PolicyChoice;
  /**
   * Treatment of a request whose prompt is lost with the engine that held it: vLLM's
   * `kv_load_failure_policy`.
   */
  readonly loadFailure: 'fail' | 'recompute';
  /**
   * A prompt with fewer tokens than this that are not expected in the decode engine's cache is prefilled
   * on the decode engine. That engine is then picked first. @default 0: never
   */
  readonly remotePrefillTokensMin?: number | undefined;
}

/** A request on its way from its prefill engine, through the router, to a decode engine. */
interface Hop {
  readonly attempt: Attempt;
  readonly atSeconds: number;
}

/** The state of a disaggregated fleet, apart from its engines. */
export class Handoffs {
  readonly disaggregation: Disaggregation;
  readonly exchange: KvExchange;
  readonly log = new HandoffLog();
  readonly #hopSeconds: number;
  /** In order of time, since all hops take equally long. */
  #hops: Hop[] = [];

  /**
   * @param networkSeconds One-way time between router and engine.
   * @throws {RangeError} If a role is missing, or links do not match each other.
   */
  constructor(disaggregation: Disaggregation, networkSeconds: number) {
    const { roles, links, latencySeconds } = disaggregation;
    if (!roles.includes('prefill') || !roles.includes('decode') || links.length !== roles.length) {
      throw new RangeError('Disaggregated prefill and decode need engines and links of both roles');
    }
    if (new Set(links.map(({ blockSize }) => blockSize)).size > 1) {
      throw new RangeError('Engines that transfer KV need blocks of one size');
    }
    this.disaggregation = disaggregation;
    this.#hopSeconds = 2 * networkSeconds;
    this.exchange = new KvExchange({
      ...{ engines: links, latencySeconds },
      onRead: (read) => this.log.read(Number(read.id), read),
    });
  }

  /** When `arrived` or the exchange has something to do next; otherwise Infinity. */
  get nextSeconds(): number {
    const hop = this.#hops[0]?.atSeconds ?? Number.POSITIVE_INFINITY;
    return Math.min(this.exchange.nextSeconds, hop);
  }

  /** Whether a request is between two engines. */
  get hasHops(): boolean {
    return this.#hops.length > 0;
  }

  roleOf(engine: number): EngineRole {
    return this.disaggregation.roles[engine] as EngineRole;
  }

  /** The prefill engine has responded. */
  prefilled(attempt: Attempt, engine: number, nowSeconds: number): void {
    this.log.prefilled(attempt.index, engine, nowSeconds);
    this.#hops.push({ attempt, atSeconds: nowSeconds + this.#hopSeconds });
  }

  /** Requests that reach the router's second pick now, in order. */
  arrived(nowSeconds: number): readonly Attempt[] {
    let count = 0;
    while ((this.#hops[count]?.atSeconds ?? Number.POSITIVE_INFINITY) <= nowSeconds) count++;
    const arrived = this.#hops.slice(0, count).map(({ attempt }) => attempt);
    if (count > 0) this.#hops = this.#hops.slice(count);
    return arrived;
  }

  engineFailed(engine: number, nowSeconds: number): readonly LostHandoff[] {
    const lost = this.exchange.engineFailed(engine, nowSeconds);
    this.log.lost += lost.length;
    return lost;
  }
}
