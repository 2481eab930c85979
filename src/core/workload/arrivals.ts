// Start times of requests or conversations.
import { type Random, randomExponential } from '../base/index.ts';
import { randomGamma } from './draws.ts';

/** Open loop: arrivals do not wait for responses. `rate` is always the mean rate per second. */
export type ArrivalProcess =
  | { readonly process: 'constant' | 'poisson'; readonly rate: number }
  /** Gamma-distributed gaps of shape `burstiness`, as in `vllm bench serve --burstiness`: 1 is Poisson, less is burstier. */
  | { readonly process: 'gamma'; readonly rate: number; readonly burstiness: number }
  /** Poisson in on-phases, no arrivals in off-phases; their durations are exponential with these means. */
  | {
      readonly process: 'on-off';
      readonly rate: number;
      readonly onSeconds: number;
      readonly offSeconds: number;
    }
  /** Poisson at rate · (1 + swing · sin(2π t / period)). */
  | {
      readonly process: 'diurnal';
      readonly rate: number;
      readonly swing: number;
      readonly periodSeconds: number;
    };

/** Yields ascending arrival times from 0 s on, without end. */
export function* arrivalTimes(law: ArrivalProcess, random: Random): Generator<number, never> {
  switch (law.process) {
    case 'constant':
      for (let i = 0; ; i++) yield i / law.rate;
    case 'poisson':
      return yield* renewalTimes(() => randomExponential(random, 1 / law.rate));
    case 'gamma': {
      const { rate, burstiness } = law;
      return yield* renewalTimes(() => randomGamma(random, burstiness, 1 / (rate * burstiness)));
    }
    case 'on-off':
      return yield* onOffTimes(law, random);
    case 'diurnal':
      return yield* diurnalTimes(law, random);
  }
}

/** Yields times with independent gaps. */
function* renewalTimes(gap: () => number): Generator<number, never> {
  for (let at = gap(); ; at += gap()) yield at;
}

function* onOffTimes(
  { rate, onSeconds, offSeconds }: Extract<ArrivalProcess, { process: 'on-off' }>,
  random: Random,
): Generator<number, never> {
  const gap = onSeconds / (rate * (onSeconds + offSeconds));
  for (let start = 0; ; ) {
    const end = start + randomExponential(random, onSeconds);
    for (let at = start; ; ) {
      at += randomExponential(random, gap);
      if (at >= end) break;
      yield at;
    }
    start = end + randomExponential(random, offSeconds);
  }
}

/** Yields times by thinning: each arrival at the peak rate is kept with the probability of its moment. */
function* diurnalTimes(
  { rate, swing, periodSeconds }: Extract<ArrivalProcess, { process: 'diurnal' }>,
  random: Random,
): Generator<number, never> {
  const peak = 1 + swing;
  for (let at = 0; ; ) {
    at += randomExponential(random, 1 / (rate * peak));
    const now = 1 + swing * Math.sin((2 * Math.PI * at) / periodSeconds);
    if (random.next() * peak < now) yield at;
  }
}
