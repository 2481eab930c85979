// What `vllmConfig.extraArgs` changes in a simulation: the flags of `vllm serve` that scheduler, KV
// cache and offloading read.
import { InputError } from '../../core/base/index.ts';
import type { EngineConfig } from '../../core/engine/index.ts';

export interface ExtraArguments {
  readonly settings: Partial<EngineConfig>;
  readonly kvCacheMemoryBytes: number | undefined;
  readonly numGpuBlocks: number | undefined;
  readonly gpuMemoryUtilization: number | undefined;
  readonly tensorParallelSize: number | undefined;
  readonly kvBytesPerValue: number | undefined;
  readonly quantization: string | undefined;
  /** Groups of GPUs with a part of the layers each; undefined: one. */
  readonly pipelineParallelSize: number | undefined;
  /** Engine cores that share the requests; undefined: one. */
  readonly dataParallelSize: number | undefined;
  /** Host memory of native offload, all GPUs of the engine together. */
  readonly hostBytes: number | undefined;
  /** The same in GPU blocks; takes its place. */
  readonly hostBlocks: number | undefined;
  readonly offload: {
    readonly eviction?: string;
    readonly storeThreshold?: number;
    readonly blocksPerChunk?: number;
    readonly trackedMax?: number;
    readonly promptOnly?: boolean;
  };
  /** Of a connector that hands KV to other engines; undefined without one. */
  readonly transfer:
    | {
        readonly role: string | undefined;
        readonly loadFailure: 'fail' | 'recompute';
      }
    | undefined;
  /** Below host memory, in the order in which they are asked. */
  readonly secondaryTiers: readonly SecondaryTier[];
  /** Flags that a simulation does not know, one sentence each. */
  readonly notes: readonly string[];
}

/** A folder of one engine, a folder that all engines share, or an object store. */
export type SecondaryTier = 'disk' | 'shared-disk' | 'object';

const gibibyte = 2 ** 30;

/** Flags with a whole number that are a setting of the engine model. */
const numbers: Readonly<Record<string, keyof EngineConfig>> = {
  '--max-num-batched-tokens': 'maxNumBatchedTokens',
  '--max-num-seqs': 'maxNumSeqs',
  '--max-num-active-seqs': 'maxNumActiveSeqs',
  '--max-model-len': 'maxModelLen',
  '--block-size': 'blockSize',
  '--long-prefill-token-threshold': 'longPrefillTokenThreshold',
};
/** Whole numbers that size the engine, with vLLM's short spellings. */
const sizes: Readonly<Record<string, keyof ExtraArguments>> = {
  '--num-gpu-blocks-override': 'numGpuBlocks',
  '--tensor-parallel-size': 'tensorParallelSize',
  '-tp': 'tensorParallelSize',
  '--pipeline-parallel-size': 'pipelineParallelSize',
  '-pp': 'pipelineParallelSize',
  '--data-parallel-size': 'dataParallelSize',
  '-dp': 'dataParallelSize',
};
const switches: Readonly<Record<string, Partial<EngineConfig>>> = {
  '--enable-prefix-caching': { enablePrefixCaching: true },
  '--no-enable-prefix-caching': { enablePrefixCaching: false },
  '--enable-chunked-prefill': { enableChunkedPrefill: true },
  '--no-enable-chunked-prefill': { enableChunkedPrefill: false },
};

/**
 * @param owner The entry's name, for errors.
 * @throws {InputError} If a flag's value cannot be used.
 */
export function argumentsOf(given: readonly string[], owner: string): ExtraArguments {
  let settings: Record<string, unknown> = {};
  const found: Record<string, unknown> = {};
  let offload: Record<string, unknown> = {};
  const unknown: string[] = [];
  const words = given.flatMap((word) => {
    const equals = word.startsWith('--') ? word.indexOf('=') : -1;
    return equals < 0 ? [word] : [word.slice(0, equals), word.slice(equals + 1)];
  });
  for (let i = 0; i < words.length; i++) {
    const flag = (words[i] as string).replaceAll('_', '-');
    const value = words[i + 1] ?? '';
    const number = () => {
      i++;
      const read = Number(value);
      if (value !== '' && read > 0 && Number.isFinite(read)) return read;
      throw new InputError(
        `extraArgs of ${owner}: ${flag} needs a number above 0, not "${value}".`,
      );
    };
    const setting = numbers[flag];
    if (setting !== undefined) settings[setting] = number();
    else if (switches[flag]) settings = { ...settings, ...switches[flag] };
    else if (flag === '--kv-offloading-size') found['hostBytes'] = number() * gibibyte;
    else if (flag === '--kv-cache-memory-bytes') found['kvCacheMemoryBytes'] = number();
    else if (flag === '--gpu-memory-utilization') found['gpuMemoryUtilization'] = number();
    else if (sizes[flag]) found[sizes[flag]] = whole(number(), flag, owner);
    else if (flag === '--kv-offloading-backend') {
      i++;
      if (value !== 'native') found['backend'] = value;
    } else if (flag === '--kv-cache-dtype') {
      i++;
      if (value.startsWith('fp8')) found['kvBytesPerValue'] = 1;
    } else if (flag === '--quantization') {
      i++;
      found['quantization'] = value;
    } else if (flag === '--kv-transfer-config') {
      i++;
      const transfer = transferOf(value, owner);
      Object.assign(found, transfer.found);
      offload = transfer.offload;
    } else if (flag.startsWith('--')) unknown.push(flag);
  }
  if (found['backend'] !== undefined) {
    throw new InputError(
      `extraArgs of ${owner}: --kv-offloading-backend ${String(found['backend'])} is not simulated; use native, or lmcacheConfig.`,
    );
  }
  const notes =
    unknown.length === 0
      ? []
      : [`extraArgs of ${owner} without effect in a simulation: ${unknown.join(', ')}.`];
  found['secondaryTiers'] ??= [];
  return { ...(found as unknown as ExtraArguments), settings, offload, notes };
}

/** Connectors by which one engine reads what another has computed. */
const handingOver = ['NixlConnector', 'NixlPullConnector'];

function whole(value: number, flag: string, owner: string): number {
  if (Number.isInteger(value)) return value;
  throw new InputError(`extraArgs of ${owner}: ${flag} needs a whole number, not ${value}.`);
}

/** vLLM's OffloadingConnector with its extra configuration, or its NixlConnector. */
function transferOf(text: string, owner: string) {
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new InputError(`extraArgs of ${owner}: --kv-transfer-config is no JSON.`, { cause });
  }
  const name = parsed['kv_connector'];
  if (typeof name === 'string' && handingOver.includes(name)) {
    return { found: { transfer: handOverOf(parsed, owner) }, offload: {} };
  }
  if (name !== 'OffloadingConnector') {
    throw new InputError(
      `extraArgs of ${owner}: the connector ${JSON.stringify(name)} is not simulated; OffloadingConnector and NixlConnector are, and LMCache by lmcacheConfig.`,
    );
  }
  const extra = (parsed['kv_connector_extra_config'] ?? {}) as Record<string, unknown>;
  const number = (key: string) => (typeof extra[key] === 'number' ? extra[key] : undefined);
  const hostBytes = number('cpu_bytes_to_use');
  const hostBlocks = number('num_cpu_blocks');
  if (hostBytes === undefined && hostBlocks === undefined) {
    throw new InputError(
      `extraArgs of ${owner}: OffloadingConnector needs cpu_bytes_to_use or num_cpu_blocks in kv_connector_extra_config.`,
    );
  }
  const blocksPerChunk = number('blocks_per_chunk');
  const storeThreshold = number('store_threshold');
  const trackedMax = number('max_tracker_size');
  const { eviction_policy: eviction, offload_prompt_only: promptOnly } = extra;
  return {
    found: {
      ...{ hostBytes, hostBlocks },
      secondaryTiers: secondaryTiersOf(extra['secondary_tiers'], owner),
    },
    offload: {
      ...(blocksPerChunk !== undefined && { blocksPerChunk }),
      ...(storeThreshold !== undefined && { storeThreshold }),
      ...(trackedMax !== undefined && { trackedMax }),
      ...(typeof eviction === 'string' && { eviction }),
      ...(typeof promptOnly === 'boolean' && { promptOnly }),
    },
  };
}

function handOverOf(parsed: Record<string, unknown>, owner: string): ExtraArguments['transfer'] {
  const { kv_role: role, kv_load_failure_policy: loadFailure = 'fail' } = parsed;
  if (loadFailure !== 'fail' && loadFailure !== 'recompute') {
    throw new InputError(
      `extraArgs of ${owner}: kv_load_failure_policy is fail or recompute, not ${JSON.stringify(loadFailure)}.`,
    );
  }
  return { role: typeof role === 'string' ? role : undefined, loadFailure };
}

/** Those of vLLM's `TieringOffloadingSpec`. */
function secondaryTiersOf(given: unknown, owner: string): readonly SecondaryTier[] {
  if (given === undefined) return [];
  const tiers = Array.isArray(given) ? (given as unknown[]) : [given];
  return tiers.map((tier) => {
    const { type, locality } = (tier ?? {}) as { type?: unknown; locality?: unknown };
    if (type === 'obj') return 'object';
    if (type === 'fs') return String(locality).toLowerCase() === 'remote' ? 'shared-disk' : 'disk';
    throw new InputError(
      `extraArgs of ${owner}: the secondary tier ${JSON.stringify(type)} is not simulated; fs and obj are.`,
    );
  });
}
