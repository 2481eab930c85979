// Prefill and decode on engines of their own: which engines do what, the prompts between them, and the
// time that it takes until the second engine is asked.
import { KvExchange, type KvExchangeEngine, type LostHandoff } from '../engine/index.ts';
import type { FleetRequest } from './attempt.ts';
import type { PolicyChoice } from './fleet-options.ts';
import { HandoffLog } from './handoff-log.ts';

export type EngineRole = 'prefill' | 'decode';

/** Engines that prefill and engines that decode, in place of engines that do both. */
export interface Disaggregation {
  /** By engine; at least one of each. */
  readonly roles: readonly EngineRole[];
  /** By engine: its end of the network between them. */
  readonly links: readonly KvExchangeEngine[];
  readonly latencySeconds: number;
  /** Picks the engine that decodes; the fleet's own policy picks the one that prefills. */
  readonly decodePolicy: PolicyChoice;
  /**
   * What becomes of a request whose prompt is lost with the engine that held it: vLLM's
   * `kv_load_failure_policy`.
   */
  readonly loadFailure: 'fail' | 'recompute';
  /**
   * A prompt with fewer tokens than this not expected in the cache of the engine that would decode is
   * prefilled there. That engine is then picked first. @default 0: never
   */
  readonly remotePrefillTokensMin?: number | undefined;
}

/** A request on its way from the engine that prefilled it, over the router, to one that decodes. */
interface Hop {
  readonly request: FleetRequest;
  readonly atSeconds: number;
}

/** The state of a disaggregated fleet beside its engines. */
export class Handoffs {
  readonly disaggregation: Disaggregation;
  readonly exchange: KvExchange;
  readonly log = new HandoffLog();
  readonly #hopSeconds: number;
  /** In order of time, since all hops take as long. */
  #hops: Hop[] = [];

  /**
   * @param networkSeconds Between router and engine, each way.
   * @throws {RangeError} If a role is missing, or links do not fit each other.
   */
  constructor(disaggregation: Disaggregation, networkSeconds: number) {
    const { roles, links, latencySeconds } = disaggregation;
    if (!roles.includes('prefill') || !roles.includes('decode') || links.length !== roles.length) {
      throw new RangeError('Prefill and decode apart need engines and links of both kinds');
    }
    if (new Set(links.map(({ blockSize }) => blockSize)).size > 1) {
      throw new RangeError('Engines that hand over KV need blocks of one size');
    }
    this.disaggregation = disaggregation;
    this.#hopSeconds = 2 * networkSeconds;
    this.exchange = new KvExchange({
      ...{ engines: links, latencySeconds },
      onRead: (read) => this.log.read(Number(read.id), read),
    });
  }

  /** When `arrived` or the exchange has something to do next; else Infinity. */
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

  /** The first engine has answered. */
  prefilled(request: FleetRequest, engine: number, nowSeconds: number): void {
    this.log.prefilled(request.index, engine, nowSeconds);
    this.#hops.push({ request, atSeconds: nowSeconds + this.#hopSeconds });
  }

  /** Requests that come to the router's second pick now, in order. */
  arrived(nowSeconds: number): readonly FleetRequest[] {
    let count = 0;
    while ((this.#hops[count]?.atSeconds ?? Number.POSITIVE_INFINITY) <= nowSeconds) count++;
    const arrived = this.#hops.slice(0, count).map(({ request }) => request);
    if (count > 0) this.#hops = this.#hops.slice(count);
    return arrived;
  }

  engineFailed(engine: number, nowSeconds: number): readonly LostHandoff[] {
    const lost = this.exchange.engineFailed(engine, nowSeconds);
    this.log.lost += lost.length;
    return lost;
  }
}
