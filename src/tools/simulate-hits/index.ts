// Prefix-cache hits of a trace, without time.
export { type HitsOptions, type HitsRow, hitsJson, hitsTable, simulateHits } from './hits.ts';
