// Compares two servers under the same load, or two saved runs of it.
export {
  type ComparedSide,
  type ComparedView,
  compareJson,
  compareText,
} from './compare-report.ts';
export { compareRuns, type MeasuredRun } from './compare-runs.ts';
export {
  compareSummaries,
  type SummaryComparison,
  summariesJson,
  summariesText,
} from './compare-summaries.ts';
export { historyOf, type Regression, regressionIn } from './history.ts';
export { pairsFor } from './pairs.ts';
export { type CompareOptions, type CompareProgress, runCompare } from './run-compare.ts';
