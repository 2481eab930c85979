// The labels of vllm:cache_config_info: every field of vLLM's CacheConfig, as Python prints it.
import type { EngineServerOptions } from '../options.ts';

export function cacheConfigLabels(
  options: Pick<
    EngineServerOptions,
    'config' | 'givenCacheSettings' | 'prefixCachingHashAlgorithm'
  >,
): Record<string, string> {
  const { config, givenCacheSettings: given = {} } = options;
  const tokens = config.numGpuBlocks * config.blockSize;
  return {
    _block_size_resolved: 'True',
    block_size: `${config.blockSize}`,
    cache_dtype: 'auto',
    cache_hit_alignment_tokens: 'None',
    effective_attention_block_size: `${config.blockSize}`,
    enable_mamba_shared_prefix_checkpoint: 'False',
    enable_prefix_caching: config.enablePrefixCaching ? 'True' : 'False',
    engine: '0',
    gpu_memory_utilization: float(given.gpuMemoryUtilization ?? 0.92),
    hash_block_size: 'None',
    is_attention_free: 'False',
    kv_cache_dtype_skip_layers: '[]',
    kv_cache_layout: 'None',
    kv_cache_max_concurrency: float(tokens / config.maxModelLen),
    kv_cache_memory_bytes: optional(given.kvCacheMemoryBytes),
    kv_cache_size_tokens: `${tokens}`,
    kv_offloading_backend: given.offloadingBackend ?? 'native',
    kv_offloading_size: optional(given.offloadingGibibytes, float),
    kv_sharing_fast_prefill: 'False',
    mamba_block_size: 'None',
    mamba_cache_dtype: 'auto',
    mamba_cache_mode: 'none',
    mamba_page_size_padded: 'None',
    mamba_ssm_cache_dtype: 'float32',
    num_cpu_blocks: 'None',
    num_gpu_blocks: `${config.numGpuBlocks}`,
    num_gpu_blocks_override: optional(given.numGpuBlocks),
    prefix_cache_retention_interval: '0',
    prefix_caching_hash_algo: options.prefixCachingHashAlgorithm ?? 'sha256',
    prefix_match_unit: 'None',
    replayssm_buffer_len: '16',
    skip_page_size_padded: 'None',
    sliding_window: 'None',
    swa_bounded_replay: 'True',
    use_kda_recoverssm: 'False',
    use_replayssm: 'False',
    user_specified_block_size: given.blockSize === undefined ? 'False' : 'True',
  };
}

function optional(value: number | undefined, print: (value: number) => string = String): string {
  return value === undefined ? 'None' : print(value);
}

/** Prints a float as Python does. */
function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
