// Compares two servers under the same load.
export { compareJson, compareText } from './compare-report.ts';
export {
  type CompareOptions,
  type CompareOutcome,
  type CompareProgress,
  pairsFor,
  runCompare,
} from './run-compare.ts';
