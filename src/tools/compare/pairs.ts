// How many blocks a number of requests is divided into.
import { pairsMin } from '../../core/comparison/index.ts';

const pairsMax = 24;
const requestsPerPair = 10;

/** Pairs of blocks for a number of requests: one per ten requests, but enough for a verdict, and at most 24. */
export function pairsFor(requests: number): number {
  return Math.max(pairsMin, Math.min(pairsMax, Math.round(requests / requestsPerPair)));
}
