// When a first byte is late, as the requests of the last minutes show: later than 95 % of them.
import { type LogBuckets, SlidingHistogram } from '../../base/index.ts';

/**
 * A first byte that comes later than this share of them is late: The Tail at Scale (Dean, Barroso 2013) defers the
 * second request until the first one has been outstanding for longer than the 95th percentile.
 */
const lateShare = 0.95;
/** Fewer first bytes than this say too little about their 95th percentile. */
const samplesMin = 100;
const sliceSeconds = 60;
const slices = 10;
/** Time over time predicted. Predictions below a network's delay are taken as that. */
const ratioBuckets: LogBuckets = { min: 0.05, octaves: 14 };
const predictedSecondsMin = 0.005;
const secondsBuckets: LogBuckets = { min: 0.002, octaves: 18 };
/** Prompts are of one size if they differ by less than this factor. */
const sizeFactor = 4;
const smallestTokens = 64;
/** The last size has everything above 64 × 4⁶ = 262,144 tokens. */
const sizesMax = 8;
/** Models with delays of their own, of which each has up to nine histograms of 7 KB; the rest share one. */
const modelsMax = 256;

/** What is known of a request when it is sent. */
export interface ExpectedFirstByte {
  readonly model: string | undefined;
  /** Undefined if the policy predicts nothing. */
  readonly predictedSeconds: number | undefined;
  readonly prefillTokens: number;
}

/** How long to wait for a first byte before another engine is asked. */
export interface HedgeDelays {
  /** @returns Undefined while too little is known. */
  delaySeconds(expected: ExpectedFirstByte, nowSeconds: number): number | undefined;
  /** The first byte came after `seconds`, or another engine's did and this one's would have come later. */
  observe(expected: ExpectedFirstByte, seconds: number, nowSeconds: number): void;
}

/** The first bytes of one model. */
interface ModelDelays {
  /** Time over predicted time. */
  readonly ratios: SlidingHistogram;
  /** By size of the prompt. */
  readonly seconds: (SlidingHistogram | undefined)[];
}

export class MeasuredHedgeDelays implements HedgeDelays {
  readonly #models = new Map<string, ModelDelays>();

  delaySeconds(expected: ExpectedFirstByte, nowSeconds: number): number | undefined {
    const { model, predictedSeconds, prefillTokens } = expected;
    const { ratios, seconds } = this.#of(model);
    if (predictedSeconds !== undefined) {
      const ratio = lateOf(ratios, nowSeconds);
      if (ratio !== undefined) return ratio * Math.max(predictedSeconds, predictedSecondsMin);
    }
    const measured = seconds[sizeOf(prefillTokens)];
    return measured && lateOf(measured, nowSeconds);
  }

  observe(expected: ExpectedFirstByte, seconds: number, nowSeconds: number): void {
    const { model, predictedSeconds, prefillTokens } = expected;
    const delays = this.#of(model);
    if (predictedSeconds !== undefined) {
      delays.ratios.add(seconds / Math.max(predictedSeconds, predictedSecondsMin), nowSeconds);
    }
    const size = sizeOf(prefillTokens);
    delays.seconds[size] ??= histogramOf(secondsBuckets);
    delays.seconds[size].add(seconds, nowSeconds);
  }

  #of(model = ''): ModelDelays {
    const name = this.#models.has(model) || this.#models.size < modelsMax ? model : '';
    let delays = this.#models.get(name);
    if (delays === undefined) {
      delays = { ratios: histogramOf(ratioBuckets), seconds: new Array(sizesMax) };
      this.#models.set(name, delays);
    }
    return delays;
  }
}

function histogramOf(buckets: LogBuckets): SlidingHistogram {
  return new SlidingHistogram({ buckets, sliceSeconds, slices });
}

function lateOf(histogram: SlidingHistogram, nowSeconds: number): number | undefined {
  const recent = histogram.at(nowSeconds);
  return recent.count < samplesMin ? undefined : recent.quantile(lateShare);
}

function sizeOf(tokens: number): number {
  const size = Math.floor(Math.log(tokens / smallestTokens) / Math.log(sizeFactor)) + 1;
  return size > 0 ? Math.min(size, sizesMax - 1) : 0;
}
