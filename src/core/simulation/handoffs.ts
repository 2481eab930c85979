// The state of a fleet with disaggregated prefill: the prompts in transfer between engines,
// and the time until a request is sent to the second engine.

import { KvExchange, type LostHandoff } from '../engine/index.ts';
import type { Disaggregation, EngineRole } from './disaggregation.ts';

import { HandoffLog } from './handoff-log.ts';

/** A request on its way from its prefill engine, through the router, to a decode engine. */
interface Hop<Handed> {
  readonly handed: Handed;
  readonly atSeconds: number;
}

/** The state of a disaggregated fleet, apart from its engines. */
export class Handoffs<Handed extends { readonly index: number }> {
  readonly disaggregation: Disaggregation;
  readonly exchange: KvExchange;
  readonly log = new HandoffLog();
  readonly #hopSeconds: number;
  /** In order of time, since all hops take equally long. */
  #hops: Hop<Handed>[] = [];

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
  prefilled(handed: Handed, engine: number, nowSeconds: number): void {
    this.log.prefilled(handed.index, engine, nowSeconds);
    this.#hops.push({ handed, atSeconds: nowSeconds + this.#hopSeconds });
  }

  /** Requests that reach the router's second pick now, in order. */
  arrived(nowSeconds: number): readonly Handed[] {
    let count = 0;
    while ((this.#hops[count]?.atSeconds ?? Number.POSITIVE_INFINITY) <= nowSeconds) count++;
    const arrived = this.#hops.slice(0, count).map(({ handed }) => handed);
    if (count > 0) this.#hops = this.#hops.slice(count);
    return arrived;
  }

  engineFailed(engine: number, nowSeconds: number): readonly LostHandoff[] {
    const lost = this.exchange.engineFailed(engine, nowSeconds);
    this.log.lost += lost.length;
    return lost;
  }
}
