// Whether a simulated system keeps up with its traffic, and how that is said.
import { backlogGrowth, overloadedGrowth } from '../../core/simulation/index.ts';
import type { ServeReport } from '../../core/stats/index.ts';
import { percent } from './figures.ts';

/** A closed loop cannot run away, so it is neither STABLE nor OVERLOADED. */
export type Verdict = 'STABLE' | 'OVERLOADED' | 'CLOSED LOOP';

export interface Stability {
  /** OVERLOADED: requests without a first token grow in number for as long as requests arrive. */
  readonly verdict: Verdict;
  /** Mean over the engines of the share of the time up to the last arrival in which a step ran. */
  readonly utilization: number;
  /** See `backlogGrowth`. */
  readonly growth: number;
  /** From the first arrival to the last. */
  readonly arrivalsLastSeconds: number;
  /** Of a closed loop. */
  readonly clients: number | undefined;
}

export function stabilityOf(options: {
  /** Requests without a first token as each request arrived, in order. */
  readonly waitingAtArrival: ArrayLike<number>;
  /** Aligned with it. */
  readonly arrivalSeconds: ArrayLike<number>;
  readonly utilization: number;
  readonly clients?: number | undefined;
}): Stability {
  const { waitingAtArrival, arrivalSeconds, utilization, clients } = options;
  const growth = backlogGrowth(waitingAtArrival, arrivalSeconds);
  const open = growth > overloadedGrowth ? 'OVERLOADED' : 'STABLE';
  const last = arrivalSeconds[arrivalSeconds.length - 1] ?? 0;
  return {
    verdict: clients === undefined ? open : 'CLOSED LOOP',
    ...{ utilization, growth, clients },
    arrivalsLastSeconds: last - (arrivalSeconds[0] ?? 0),
  };
}

export function verdictLine({ verdict, utilization, growth, clients }: Stability): string {
  const busy = `engines busy ${percent(utilization)} of the time`;
  if (verdict === 'CLOSED LOOP') {
    return `CLOSED LOOP: ${clients} clients, ${busy}; the load follows the answers`;
  }
  return `${verdict}: ${busy}, queue grows by ${percent(Math.max(0, growth))} of the arrivals`;
}

/** Arrivals must last so many answers for a queue to show whether it grows. */
const answersToLookAt = 5;

/** What the latencies do not say; empty where they can be taken as they are. */
export function verdictWarnings(
  { verdict, arrivalsLastSeconds }: Stability,
  { fromSent }: ServeReport,
): string[] {
  if (verdict === 'OVERLOADED') {
    return [
      'The queue grows for as long as requests arrive: the latencies hang on the length of the run.',
    ];
  }
  const answerSeconds = (fromSent.e2el?.mean ?? 0) / 1000;
  if (verdict === 'CLOSED LOOP' || arrivalsLastSeconds >= answersToLookAt * answerSeconds)
    return [];
  return [
    `Requests arrive for ${arrivalsLastSeconds.toFixed(0)} s and an answer takes ${answerSeconds.toFixed(1)} s: too short a look to say that it stays so.`,
  ];
}
