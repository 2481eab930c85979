// The search for the highest rate at which enough responses keep a service level.
import { type Proportion, wilson } from './proportion.ts';

/** The measurements at one rate, added up. */
export interface Probe {
  /** Requests per second. */
  readonly rate: number;
  readonly good: number;
  readonly total: number;
  /** Runs at this rate. */
  readonly runs: number;
}

export interface RateSearchOptions {
  /** First rate, in requests per second. */
  readonly start: number;
  /** Share of the requests that must keep the service level, such as 0.99. */
  readonly share: number;
  /** The search ends when the failing rate is at most this much above the holding one, such as 0.05. */
  readonly precision: number;
  /** Runs at one rate before the measured share alone decides, though its interval has the goal in it. */
  readonly runsMax: number;
  /** Rates beyond which the search ends. */
  readonly rateMin: number;
  readonly rateMax: number;
}

export interface RateSearchResult {
  /** Highest rate that held; undefined if none did. */
  readonly holds: (Probe & Proportion) | undefined;
  /** Lowest rate that failed; undefined if none did up to the highest rate. */
  readonly fails: (Probe & Proportion) | undefined;
}

type Verdict = 'holds' | 'fails' | 'unclear';

/**
 * Doubles or halves the rate until it has one that holds and one that fails, then bisects. A rate is run again while
 * the 95 % interval of its share contains the goal.
 *
 * @example
 * const search = new RateSearch({ start: 1, share: 0.9, precision: 0.05, runsMax: 3, rateMin: 0.01, rateMax: 1e4 });
 * while (search.nextRate !== undefined) search.add(await measure(search.nextRate));
 * search.result.holds?.rate;
 */
export class RateSearch {
  readonly #options: RateSearchOptions;
  readonly #probes = new Map<number, Probe>();
  #holds: Probe | undefined;
  #fails: Probe | undefined;
  #nextRate: number | undefined;

  constructor(options: RateSearchOptions) {
    this.#options = options;
    this.#nextRate = options.start;
  }

  /** The rate to measure next; undefined at the end. */
  get nextRate(): number | undefined {
    return this.#nextRate;
  }

  /** All rates so far, in the order in which they were first measured. */
  get probes(): readonly Probe[] {
    return [...this.#probes.values()];
  }

  get result(): RateSearchResult {
    return { holds: withShare(this.#holds), fails: withShare(this.#fails) };
  }

  /** Adds a run at `nextRate`. @returns What is known of this rate now. */
  add({ good, total }: { readonly good: number; readonly total: number }): Verdict {
    const rate = this.#nextRate;
    if (rate === undefined) throw new RangeError('The search has ended');
    const before = this.#probes.get(rate);
    const probe = {
      rate,
      good: good + (before?.good ?? 0),
      total: total + (before?.total ?? 0),
      runs: 1 + (before?.runs ?? 0),
    };
    this.#probes.set(rate, probe);
    const verdict = this.#verdictOn(probe);
    if (verdict === 'unclear') return verdict;
    if (verdict === 'holds') this.#holds = probe;
    else this.#fails = probe;
    this.#nextRate = this.#rateAfter();
    return verdict;
  }

  #verdictOn(probe: Probe): Verdict {
    const { share: goal, runsMax } = this.#options;
    // A server that answers nothing holds nothing.
    if (probe.total === 0) return 'fails';
    const { share, low, high } = wilson(probe.good, probe.total);
    if (low >= goal) return 'holds';
    if (high < goal) return 'fails';
    if (probe.runs < runsMax) return 'unclear';
    return share >= goal ? 'holds' : 'fails';
  }

  #rateAfter(): number | undefined {
    const { precision, rateMin, rateMax } = this.#options;
    const [holds, fails] = [this.#holds?.rate, this.#fails?.rate];
    if (holds !== undefined && fails !== undefined) {
      // The geometric mean: precision is relative.
      return fails / holds <= 1 + precision ? undefined : Math.sqrt(holds * fails);
    }
    if (holds !== undefined) return holds >= rateMax ? undefined : Math.min(2 * holds, rateMax);
    const lower = (fails as number) / 2;
    return lower < rateMin ? undefined : lower;
  }
}

function withShare(probe: Probe | undefined): (Probe & Proportion) | undefined {
  return probe === undefined
    ? undefined
    : { ...probe, ...wilson(probe.good, Math.max(1, probe.total)) };
}
