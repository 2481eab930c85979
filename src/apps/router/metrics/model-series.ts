// How many models have series of their own.

/** Maximum number of models with their own series; only models that engines serve count. */
export const modelSeriesMax = 1_000;
