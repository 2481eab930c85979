// When the requests of a benchmark are due, as `vllm bench serve` decides it.
import { type Random, randomExponential } from '../base/index.ts';
import { randomGamma } from './draws.ts';

/** A rate that changes from the first request to the last. */
export interface RampUp {
  readonly strategy: 'linear' | 'exponential';
  /** Requests per second. */
  readonly startRate: number;
  readonly endRate: number;
}

/** The open loop of a benchmark. */
export interface SendRate {
  /** Requests per second; Infinity: all at once. */
  readonly rate: number;
  /** Shape of the gaps: 1 is Poisson, below 1 is burstier, Infinity is even. */
  readonly burstiness: number;
  /** Replaces `rate`. */
  readonly rampUp?: RampUp | undefined;
}

/**
 * Returns when each of `count` requests is due, in seconds, ascending.
 *
 * Without a ramp, the gaps are scaled so that the last request is due at exactly count / rate: a short run has
 * the rate that was asked for. The first request is due after the first gap.
 *
 * @example sendTimes({ rate: 2, burstiness: Infinity }, 4, random); // [0.5, 1, 1.5, 2]
 * @see https://github.com/vllm-project/vllm/blob/main/vllm/benchmarks/serve.py get_request
 */
export function sendTimes(rate: SendRate, count: number, random: Random): number[] {
  const { rampUp, burstiness } = rate;
  const times: number[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    at += gapAt(rampUp === undefined ? rate.rate : rampRate(rampUp, i, count), burstiness, random);
    times.push(at);
  }
  if (rampUp !== undefined || at === 0) return times;
  const scale = count / rate.rate / at;
  return times.map((time) => time * scale);
}

function gapAt(rate: number, burstiness: number, random: Random): number {
  if (rate === Number.POSITIVE_INFINITY) return 0;
  if (burstiness === Number.POSITIVE_INFINITY) return 1 / rate;
  if (burstiness === 1) return randomExponential(random, 1 / rate);
  return randomGamma(random, burstiness, 1 / (rate * burstiness));
}

function rampRate({ strategy, startRate, endRate }: RampUp, index: number, count: number): number {
  const progress = index / Math.max(1, count - 1);
  return strategy === 'linear'
    ? startRate + (endRate - startRate) * progress
    : startRate * (endRate / startRate) ** progress;
}
