// GET /server_info: the configuration, as far as the emulation has vLLM's.
import { arch, platform, release } from 'node:os';
import { literal } from '../../../../core/api/index.ts';
import { readQuery } from '../../http/query.ts';
import type { Handler } from '../../http/server.ts';
import { type EmbeddedEngine, emulatedVersion } from '../../runtime/embedded-engine.ts';

/**
 * The system details that vLLM 0.32 collects (collect_env.py); null for those that are meaningless
 * here.
 */
const systemFields = [
  ...['torch_version', 'is_debug_build', 'cuda_compiled_version', 'gcc_version', 'clang_version'],
  ...['cmake_version', 'os', 'libc_version', 'python_version', 'python_platform'],
  ...['is_cuda_available', 'cuda_runtime_version', 'cuda_module_loading'],
  ...['nvidia_driver_version', 'nvidia_gpu_models', 'cudnn_version', 'xpu_available'],
  ...['xpu_runtime_version', 'intel_graphics_compiler_version', 'intel_gpu_models'],
  ...['oneapi_compiler_version', 'level_zero_loader_version', 'level_zero_driver_version'],
  ...['oneccl_version', 'libigdgmm_version', 'vllm_xpu_kernels_version', 'sycl_version'],
  ...['pip_version'],
  ...['pip_packages', 'conda_packages', 'hip_compiled_version', 'hip_runtime_version'],
  ...['miopen_runtime_version', 'caching_allocator_config', 'is_xnnpack_available', 'cpu_info'],
  ...['rocm_version', 'vllm_version', 'vllm_build_flags', 'gpu_topo', 'env_vars'],
];

export function serverInfoRoute(engine: EmbeddedEngine): Handler {
  return (exchange) => {
    const { config_format: format = 'text' } = readQuery(exchange, {
      config_format: literal('text', 'json'),
    });
    const config = configuration(engine);
    const info = {
      vllm_config: format === 'json' ? config : configText(engine),
      vllm_env: vllmEnvironment(),
      system_env: {
        ...Object.fromEntries(systemFields.map((name) => [name, null])),
        os: `${platform()} ${release()} (${arch()})`,
        vllm_version: emulatedVersion,
      },
    };
    exchange.sendJson(200, JSON.stringify(info));
  };
}

function configuration({ options, servedModelNames }: EmbeddedEngine): object {
  const { config, lora, model } = options;
  return {
    model_config: {
      model,
      tokenizer: model,
      max_model_len: config.maxModelLen,
      seed: options.seed ?? 0,
      served_model_name: servedModelNames,
    },
    cache_config: {
      block_size: config.blockSize,
      num_gpu_blocks: config.numGpuBlocks,
      enable_prefix_caching: config.enablePrefixCaching,
      prefix_caching_hash_algo: options.prefixCachingHashAlgorithm ?? 'sha256',
    },
    parallel_config: {
      tensor_parallel_size: options.tensorParallelSize ?? 1,
      data_parallel_size: 1,
      pipeline_parallel_size: 1,
    },
    scheduler_config: {
      max_num_batched_tokens: config.maxNumBatchedTokens,
      max_num_seqs: config.maxNumSeqs,
      max_num_active_seqs: config.maxNumActiveSeqs,
      max_model_len: config.maxModelLen,
      enable_chunked_prefill: config.enableChunkedPrefill,
      long_prefill_token_threshold: config.longPrefillTokenThreshold,
      policy: config.schedulingPolicy,
      max_num_queued_reqs: options.maxNumQueuedReqs ?? null,
      max_num_queued_tokens: options.maxNumQueuedTokens ?? null,
    },
    lora_config: lora ? { max_lora_rank: lora.maxRank, max_loras: config.maxLoras } : null,
    kv_events_config: options.kvEvents ?? null,
  };
}

/** Prints the configuration as Python does, in vLLM's order. */
function configText({ options, servedModelNames }: EmbeddedEngine): string {
  const { config, model } = options;
  const python = (value: boolean) => (value ? 'True' : 'False');
  return [
    `model='${model}'`,
    'speculative_config=None',
    `tokenizer='${model}'`,
    `max_seq_len=${config.maxModelLen}`,
    `seed=${options.seed ?? 0}`,
    `served_model_name=${servedModelNames[0]}`,
    `enable_prefix_caching=${python(config.enablePrefixCaching)}`,
    `enable_chunked_prefill=${python(config.enableChunkedPrefill)}`,
  ].join(', ');
}

/** Environment variables that start with VLLM_, except those that contain keys. */
function vllmEnvironment(): Record<string, string> {
  const own = Object.entries(process.env).filter(
    ([name, value]) => name.startsWith('VLLM_') && !name.includes('KEY') && value !== undefined,
  );
  return Object.fromEntries(own) as Record<string, string>;
}
