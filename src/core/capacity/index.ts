// What a server can carry: the knee of a sweep, the highest rate within a service level, steady states and trends.
export { type KneePoint, kneeOf, kneeWithin } from './knee.ts';
export { type Proportion, wilson } from './proportion.ts';
export {
  type Probe,
  RateSearch,
  type RateSearchOptions,
  type RateSearchResult,
} from './rate-search.ts';
export { steadyFrom } from './steady-state.ts';
export { type Trend, trendOf } from './trend.ts';
