// The series in which Prometheus keeps the figures of a plan.

/** Label `bound`: mean, low or high, of the interval that contains 90 % of the simulated fleets. */
export const planSeries = {
  ttftSeconds: 'spillway_plan:ttft_seconds',
  tpotSeconds: 'spillway_plan:tpot_seconds',
  e2eSeconds: 'spillway_plan:e2e_seconds',
  tokensPerSecond: 'spillway_plan:output_tokens_per_second',
  hitRate: 'spillway_plan:cached_prompt_tokens_ratio',
  kvUseP99: 'spillway_plan:kv_cache_usage_p99',
  preemptionsPerMinute: 'spillway_plan:preemptions_per_minute',
  redundantPrefill: 'spillway_plan:redundant_prefill_ratio',
  engines: 'spillway_plan:engines',
} as const;
