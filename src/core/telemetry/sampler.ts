// Which traces are kept: every error, every expensive request, and a share of the rest.
import { hexDigit } from './trace-context.ts';

export interface SamplingSettings {
  /** Share of the requests that are neither failed nor expensive, in [0, 1]. */
  readonly share: number;
  /** Cost from which each request is kept, in US dollars; Infinity for none. */
  readonly expensiveUsd: number;
  /** Duration from which each request is kept, in seconds; Infinity for none. */
  readonly expensiveSeconds: number;
  /** Prices in US dollars per million tokens. */
  readonly inputUsdPerMillion: number;
  readonly outputUsdPerMillion: number;
}

/**
 * The lesson's rule keeps 5 % of successes and each request over $0.10. A stack has no price list of its own: the
 * prices are the $2.50 and $10 of a large hosted model, at which $0.10 is 10,000 output tokens. A minute
 * is the usual read timeout of clients and load balancers.
 */
export const samplingDefaults: SamplingSettings = {
  share: 0.05,
  expensiveUsd: 0.1,
  expensiveSeconds: 60,
  inputUsdPerMillion: 2.5,
  outputUsdPerMillion: 10,
};

/** Why a trace is kept. `sampled`: drawn, or kept by its caller. */
export type KeptFor = 'error' | 'expensive' | 'sampled';

/** A request that is over. */
export interface EndedWork {
  readonly isError: boolean;
  readonly seconds: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/**
 * Decides twice. The head rule decides with the first span, and its result goes with the request to other processes.
 * The tail rule decides when the request is over; until then a request needs memory for its own spans only, so
 * the number of requests in flight bounds it.
 *
 * @example
 * const sampler = new Sampler(samplingDefaults);
 * const isSampled = sampler.head(traceId, caller);
 * sampler.tail(isSampled, { isError: true, seconds: 1, inputTokens: 0, outputTokens: 0 }); // 'error'
 */
export class Sampler {
  readonly settings: SamplingSettings;
  readonly #from: number;

  /** @throws {RangeError} If the share is not in [0, 1]. */
  constructor(settings: SamplingSettings) {
    const { share } = settings;
    if (!(share >= 0 && share <= 1)) throw new RangeError(`share must be in [0, 1], not ${share}`);
    this.settings = settings;
    this.#from = (1 - share) * 2 ** 32;
  }

  /**
   * The head rule: a caller's decision stands, otherwise the trace id decides, so that processes with the same share
   * decide alike.
   *
   * @param isCallerSampled The flag of the request's `traceparent`; undefined without one.
   * @see https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/ for the digits that decide:
   *   the last 56 bits are random, and the highest 32 of them are enough here
   */
  head(traceId: string, isCallerSampled: boolean | undefined): boolean {
    if (isCallerSampled !== undefined) return isCallerSampled;
    let random = 0;
    for (let i = 18; i < 26; i++) random = random * 16 + hexDigit(traceId.charCodeAt(i));
    return random >= this.#from;
  }

  /** The tail rule. @returns Undefined if the trace is dropped. */
  tail(isSampled: boolean, work: EndedWork): KeptFor | undefined {
    if (work.isError) return 'error';
    if (this.#isExpensive(work)) return 'expensive';
    return isSampled ? 'sampled' : undefined;
  }

  #isExpensive({ seconds, inputTokens, outputTokens }: EndedWork): boolean {
    const { settings } = this;
    if (seconds >= settings.expensiveSeconds) return true;
    const microUsd =
      inputTokens * settings.inputUsdPerMillion + outputTokens * settings.outputUsdPerMillion;
    return microUsd >= settings.expensiveUsd * 1e6;
  }
}
