// The verdict of a simulated run: whether the system keeps up with its traffic.
import { counted } from '../../core/base/index.ts';
import { backlogGrowth, overloadedGrowth } from '../../core/simulation/index.ts';
import type { ServeReport } from '../../core/stats/index.ts';
import { percent } from '../report/index.ts';

/** The queue of a closed loop is bounded, so it is neither STABLE nor OVERLOADED. */
export type Verdict = 'STABLE' | 'OVERLOADED' | 'CLOSED LOOP';

export interface Stability {
  /** OVERLOADED: the number of requests without a first token grows as long as requests arrive, or some are rejected. */
  readonly verdict: Verdict;
  /** Mean over the engines of the share of time, up to the last arrival, in which a step ran. */
  readonly utilization: number;
  /** See `backlogGrowth`. */
  readonly growth: number;
  /** Share of the arrivals that admission rejected. */
  readonly rejectedShare: number;
  /** Number of requests that arrived. */
  readonly arrivals: number;
  /** Time from the first arrival to the last. */
  readonly arrivalsLastSeconds: number;
  /** Number of clients of a closed loop. */
  readonly clients: number | undefined;
}

export function stabilityOf(options: {
  /** Number of requests without a first token at each arrival, in order. */
  readonly waitingAtArrival: ArrayLike<number>;
  /** Aligned with it. */
  readonly arrivalSeconds: ArrayLike<number>;
  readonly utilization: number;
  /** Number of requests that admission rejected. @default 0 */
  readonly rejected?: number;
  readonly clients?: number | undefined;
}): Stability {
  const { waitingAtArrival, arrivalSeconds, utilization, rejected = 0, clients } = options;
  const growth = backlogGrowth(waitingAtArrival, arrivalSeconds);
  // Where requests are rejected, the queue is short because of that.
  const open = growth > overloadedGrowth || rejected > 0 ? 'OVERLOADED' : 'STABLE';
  const last = arrivalSeconds[arrivalSeconds.length - 1] ?? 0;
  return {
    verdict: clients === undefined ? open : 'CLOSED LOOP',
    ...{ utilization, growth, clients },
    rejectedShare: arrivalSeconds.length === 0 ? 0 : rejected / arrivalSeconds.length,
    arrivals: arrivalSeconds.length,
    arrivalsLastSeconds: last - (arrivalSeconds[0] ?? 0),
  };
}

export function verdictLine(stability: Stability): string {
  const { verdict, utilization, growth, rejectedShare, clients } = stability;
  const busy = `engines busy ${percent(utilization)} of the time`;
  if (verdict === 'CLOSED LOOP') {
    return `CLOSED LOOP: ${counted(clients ?? 0, 'client')}, ${busy}; the load follows the responses`;
  }
  const grows = `queue grows by ${percent(Math.max(0, growth))} of the arrivals`;
  const rejects = rejectedShare > 0 ? `, admission rejects ${percent(rejectedShare)}` : '';
  return `${verdict}: ${busy}, ${grows}${rejects}`;
}

/** Arrivals must last this many times as long as a response to show whether the queue grows. */
const responsesToObserve = 5;

/** Fewer arrivals than this may wait for each other by chance. */
const arrivalsToObserve = 30;

/** Returns reasons to distrust the latencies; empty if there are none. */
export function verdictWarnings(
  { verdict, growth, rejectedShare, arrivals, arrivalsLastSeconds }: Stability,
  { fromSent }: ServeReport,
): string[] {
  if (verdict === 'OVERLOADED' && rejectedShare > 0 && growth <= overloadedGrowth) {
    return [
      'More arrives than the engines can serve: latencies are those of the admitted requests.',
    ];
  }
  if (verdict === 'OVERLOADED' && arrivals < arrivalsToObserve) {
    return [
      `Only ${counted(arrivals, 'request')} arrived: the run is too short to tell whether the queue would go on growing.`,
    ];
  }
  if (verdict === 'OVERLOADED') {
    return [
      'The queue grows as long as requests arrive: latencies depend on the length of the run.',
    ];
  }
  const responseSeconds = (fromSent.e2el?.mean ?? 0) / 1000;
  if (verdict === 'CLOSED LOOP' || arrivalsLastSeconds >= responsesToObserve * responseSeconds)
    return [];
  return [
    `Requests arrive for ${arrivalsLastSeconds.toFixed(0)} s and a response takes ${responseSeconds.toFixed(1)} s: the run is too short to tell whether the system is stable.`,
  ];
}
