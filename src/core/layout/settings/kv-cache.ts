// Settings of the KV cache: its size, its blocks, its events and metrics.
import { defaultKvEventsConfig, parseKvEventsConfig } from '../../vllm-config/index.ts';
import { missing, modelled, none, planned, served, setting, used, without } from '../setting.ts';
import { choice, count, json, readableCount, share, text, toggle } from '../value-kinds.ts';

export const kvCacheSettings = {
  enablePrefixCaching: setting({
    ...{ flag: '--enable-prefix-caching', keys: ['vllmConfig.enablePrefixCaching'] },
    ...{ value: toggle, chartDefault: false, defaultText: 'on' },
    about: 'reuse the KV blocks of equal prefixes (default)',
    aboutNo: 'recompute every prompt',
    effects: planned,
  }),
  gpuMemoryUtilization: setting({
    ...{ flag: '--gpu-memory-utilization', aliases: ['--device-memory-utilization'] },
    keys: ['vllmConfig.gpuMemoryUtilization'],
    ...{ value: share, unit: 'share of GPU memory', defaultText: '0.92' },
    about: 'share of GPU memory to use',
    effects: planned,
  }),
  kvCacheMemoryBytes: setting({
    flag: '--kv-cache-memory-bytes',
    ...{ value: readableCount(1, '<bytes>'), unit: 'bytes' },
    defaultText: 'what weights and activations leave free',
    about: 'KV cache of each GPU',
    effects: modelled,
  }),
  numGpuBlocksOverride: setting({
    ...{ flag: '--num-gpu-blocks-override', keys: ['vllmConfig.numGpuBlocksOverride'] },
    ...{ value: count(2), unit: 'blocks', defaultText: 'as many as fit' },
    about: 'number of KV blocks',
    effects: modelled,
  }),
  blockSize: setting({
    ...{ flag: '--block-size', keys: ['vllmConfig.blockSize'] },
    ...{ value: count(1, '<tokens>'), unit: 'tokens', defaultText: '16; 128 on CPU' },
    about: 'tokens in a KV block',
    effects: modelled,
  }),
  kvCacheDtype: setting({
    ...{ flag: '--kv-cache-dtype', defaultText: "auto, the model's" },
    value: choice([
      ...(['auto', 'float16', 'bfloat16', 'fp8', 'fp8_e4m3', 'fp8_e5m2', 'fp8_inc'] as const),
      ...(['fp8_ds_mla', 'nvfp4_ds_mla', 'turboquant_k8v4', 'turboquant_4bit_nc'] as const),
      ...(['turboquant_k3v4_nc', 'turboquant_3bit_nc', 'ultraquant_4bit'] as const),
      ...(['int4_per_token_head', 'int8_per_token_head', 'fp8_per_token_head'] as const),
      ...(['nvfp4', 'nvfp4_4over6'] as const),
    ]),
    about: 'type of KV values',
    effects: modelled,
  }),
  prefixCachingHashAlgo: setting({
    ...{ flag: '--prefix-caching-hash-algo', defaultText: 'sha256' },
    value: choice(['sha256', 'sha256_cbor', 'xxhash', 'xxhash_cbor']),
    about: 'hash of KV blocks in KV events; xxhash is not emulated',
    effects: { engine: used, simulate: none('simulated blocks have their own names') },
  }),
  kvEventsConfig: setting({
    ...{ flag: '--kv-events-config', keys: ['vllmConfig.kvEvents'], defaultText: 'no events' },
    value: json((given) =>
      given === 'true' || given === 'false'
        ? { ...defaultKvEventsConfig, enable_kv_cache_events: given === 'true' }
        : parseKvEventsConfig(given),
    ),
    about: 'publisher and endpoint of KV events',
    effects: { engine: used, simulate: used, recorded: none('there is no router'), plan: used },
  }),
  kvCacheMetrics: setting({
    ...{ flag: '--kv-cache-metrics', value: toggle, defaultText: 'off' },
    about: 'measure the lifetime of KV blocks',
    effects: served,
  }),
  kvCacheMetricsSample: setting({
    flag: '--kv-cache-metrics-sample',
    ...{ value: share, unit: 'share of the blocks', default: 0.01 },
    about: 'share of KV blocks to measure',
    effects: served,
  }),
  ...without(missing('it is not modelled'), text('<value>'), [
    'prefixCacheRetentionInterval',
    'prefixMatchUnit',
    'kvCacheDtypeSkipLayers',
    'mambaCacheDtype',
    'mambaSsmCacheDtype',
    'mambaBlockSize',
    'mambaCacheMode',
  ]),
  ...without(missing('it is not modelled'), toggle, [
    'disableHybridKvCacheManager',
    'disableSlidingWindow',
    'kvSharingFastPrefill',
  ]),
  ...without(none('KV values are not computed'), toggle, ['calculateKvScales']),
} as const;
