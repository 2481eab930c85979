// The faults of a run as one object, with the probability and duration of each. Names and settings that an
// embedded engine also has (docs/guide/faults.md) mean the same here.
import { type Random, randomInteger } from '../base/index.ts';

/** Probability in [0, 1], drawn each time that the fault is possible. */
interface Chance {
  readonly probability: number;
}

/** A probability and a duration. */
interface Spell extends Chance {
  readonly seconds: number;
}

/**
 * All faults; omitted ones never occur. Probabilities are drawn per request that reaches an engine, unless
 * stated otherwise.
 */
export interface FaultOptions {
  /** The connection is reset before any byte of a response. */
  readonly reset?: Chance;
  /** The connection is reset within the response's head. */
  readonly resetInHead?: Chance;
  /** The response is not HTTP. */
  readonly malformed?: Chance;
  /** The engine responds with this status and an error. */
  readonly error?: Chance & { readonly status: number };
  /** The engine responds with 503. */
  readonly unavailable?: Chance;
  /** The engine sends nothing for this long, then a normal response. */
  readonly hangBeforeFirstByte?: Spell;
  /** The stream pauses for this long after this many events. */
  readonly hangInStream?: Spell & { readonly events: number };
  /** Consecutive events are at least this far apart. */
  readonly slowStream?: Chance & { readonly delayMs: number };
  /** The connection closes after this many events, without the end of the body. */
  readonly cutStream?: Chance & { readonly events: number };
  /** The stream ends with an error event after this many events. */
  readonly errorInStream?: Chance & { readonly events: number };
  /** The process crashes, and serves again after this long with an empty cache. */
  readonly crash?: Spell;
  /** All connections are cut, and none is accepted for this long; the cache is kept. */
  readonly refuse?: Spell;
  /** The engine accepts requests and answers health checks, but computes nothing for this long. */
  readonly wedge?: Spell;
  /** The engine's steps take `factor` times as long for this duration. */
  readonly slowEngine?: Spell & { readonly factor: number };
  /** Per message between routers: it arrives this much later, and so do those after it. */
  readonly lateUpdates?: Spell;
  /** Per request that arrives at a router: the client disconnects within this time. */
  readonly clientLeaves?: Spell;
  /** Per request that arrives at a router: the router's process is replaced by a new one at once. */
  readonly routerRestarts?: Chance;
}

export type FaultName = keyof FaultOptions;

type AllFaults = { readonly [name in FaultName]-?: NonNullable<FaultOptions[name]> };

export const faultNames: readonly FaultName[] = [
  ...([
    'reset',
    'resetInHead',
    'malformed',
    'error',
    'unavailable',
    'hangBeforeFirstByte',
  ] as const),
  ...(['hangInStream', 'slowStream', 'cutStream', 'crash', 'refuse'] as const),
  ...(['wedge', 'slowEngine'] as const),
  ...(['lateUpdates', 'clientLeaves', 'routerRestarts', 'errorInStream'] as const),
];

/** Share of the faults that are enabled in a run; all at once would hide their individual effects. */
const activeShare = 0.35;

/** Draws which faults are enabled, how likely and how long: a different mix for each seed. */
export function drawFaults(random: Random): FaultOptions {
  const probability = (most: number) => 0.01 + random.next() * most;
  const seconds = (most: number) => random.next() * most;
  const events = 1 + randomInteger(random, 6);
  const all: AllFaults = {
    reset: { probability: probability(0.3) },
    resetInHead: { probability: probability(0.1) },
    malformed: { probability: probability(0.1) },
    error: { probability: probability(0.2), status: 500 + randomInteger(random, 3) },
    unavailable: { probability: probability(0.4) },
    hangBeforeFirstByte: { probability: probability(0.2), seconds: seconds(3) },
    hangInStream: { probability: probability(0.2), seconds: seconds(3), events },
    slowStream: { probability: probability(0.2), delayMs: seconds(200) },
    cutStream: { probability: probability(0.2), events },
    crash: { probability: probability(0.15), seconds: seconds(4) },
    refuse: { probability: probability(0.15), seconds: seconds(4) },
    wedge: { probability: probability(0.1), seconds: seconds(8) },
    slowEngine: {
      probability: probability(0.1),
      factor: 2 + random.next() * 8,
      seconds: seconds(4),
    },
    lateUpdates: { probability: probability(0.3), seconds: seconds(1) },
    clientLeaves: { probability: probability(0.4), seconds: seconds(3) },
    routerRestarts: { probability: probability(0.05) },
    errorInStream: { probability: probability(0.2), events },
  };
  return Object.fromEntries(
    Object.entries(all).filter(() => random.next() < activeShare),
  ) as FaultOptions;
}

/** The same faults, `times` less likely. */
export function calmed(faults: FaultOptions, times: number): FaultOptions {
  return Object.fromEntries(
    Object.entries(faults).map(([name, fault]) => [
      name,
      { ...fault, probability: fault.probability / times },
    ]),
  );
}
