// Comparisons of two servers: paired blocks, effects with intervals, and the verdict.
export {
  type Block,
  type BlockPair,
  blockOf,
  type ComparedLatency,
  type Comparison,
  type ComparisonLimits,
  compareBlocks,
  comparedLatencies,
  comparedLatenciesOf,
  type LatencyEffect,
  latencyLabels,
  pairsMin,
  type ResponseLatencies,
  type Verdict,
} from './comparison.ts';
export { pairsNeeded } from './paired-test.ts';
