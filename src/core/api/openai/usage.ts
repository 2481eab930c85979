// Token counts of a response.

export interface UsageCounts {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Undefined unless `--enable-prompt-tokens-details`. */
  readonly cachedTokens: number | undefined;
  /** Number of prompt tokens newly cached; vLLM counts them for chat only. */
  readonly createdCacheTokens: number | undefined;
  /** Undefined unless a reasoning parser distinguishes them. */
  readonly reasoningTokens?: number | undefined;
}

/** Returns the usage of a whole response; keys and nulls in vLLM's order. */
export function usageObject(counts: UsageCounts): object {
  return {
    prompt_tokens: counts.promptTokens,
    total_tokens: counts.promptTokens + counts.completionTokens,
    completion_tokens: counts.completionTokens,
    prompt_tokens_details:
      counts.cachedTokens === undefined
        ? null
        : {
            cached_tokens: counts.cachedTokens,
            created_cache_tokens: counts.createdCacheTokens ?? null,
            multimodal_tokens: null,
          },
    completion_tokens_details: reasoningDetails(counts) ?? null,
  };
}

/** Returns the usage in the last chunk of a stream, where vLLM omits the nulls. */
export function streamUsageObject(counts: UsageCounts): object {
  return {
    prompt_tokens: counts.promptTokens,
    total_tokens: counts.promptTokens + counts.completionTokens,
    completion_tokens: counts.completionTokens,
    ...(counts.cachedTokens !== undefined && {
      prompt_tokens_details: {
        cached_tokens: counts.cachedTokens,
        ...(counts.createdCacheTokens !== undefined && {
          created_cache_tokens: counts.createdCacheTokens,
        }),
      },
    }),
    ...(counts.reasoningTokens !== undefined && {
      completion_tokens_details: reasoningDetails(counts),
    }),
  };
}

function reasoningDetails({ reasoningTokens }: UsageCounts): object | undefined {
  return reasoningTokens === undefined ? undefined : { reasoning_tokens: reasoningTokens };
}
