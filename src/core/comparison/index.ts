// Comparisons of two servers: paired blocks, effects with intervals, and the verdict.
export {
  type Block,
  type BlockPair,
  type ComparedLatency,
  type Comparison,
  type ComparisonLimits,
  compareBlocks,
  comparedLatencies,
  type LatencyEffect,
  latencyLabels,
  pairsMin,
  type Verdict,
} from './comparison.ts';
export { pairsNeeded, spreadOf } from './paired-test.ts';
