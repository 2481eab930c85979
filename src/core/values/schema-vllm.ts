// The keys of vllmConfig and lmcacheConfig: flags and environment of one vLLM server.
import { z } from 'zod';
import {
  count,
  gigabytes,
  ignored,
  kubernetesObject,
  numberOrText,
  ours,
  positive,
  text,
  upstream,
} from './schema-keys.ts';

/** Settings of the engine. */
export const vllmConfig = z.strictObject({
  v0: upstream(numberOrText.optional(), '"1" runs the V0 engine of old vLLM releases.'),
  v1: upstream(numberOrText.optional(), '"1" selects the V1 engine in deployments with Ray.'),
  enablePrefixCaching: upstream(
    z.boolean().optional(),
    'Prefix caching. The chart passes --no-enable-prefix-caching unless this is true.',
  ),
  enableChunkedPrefill: upstream(
    z.boolean().optional(),
    "Chunked prefill; vLLM's choice if unset.",
  ),
  maxModelLen: upstream(positive.optional(), 'Maximum context length in tokens (--max-model-len).'),
  dtype: upstream(text.optional(), 'Type of weights and activations (--dtype).'),
  tensorParallelSize: upstream(positive.optional(), 'GPUs that share each layer of one engine.'),
  pipelineParallelSize: upstream(
    positive.optional(),
    'Stages of layers in one engine; on the GPUs of one pod, or with raySpec on those of several.',
  ),
  maxNumSeqs: upstream(
    positive.optional(),
    'Maximum number of sequences in a step (--max-num-seqs).',
  ),
  maxLoras: upstream(
    positive.optional(),
    'Maximum number of LoRA adapters in a batch (--max-loras).',
  ),
  gpuMemoryUtilization: upstream(
    z
      .union([z.number().gt(0).max(1), z.string().regex(/^(0?\.[0-9]*[1-9][0-9]*|1(\.0+)?)$/)])
      .optional(),
    'Share of GPU memory for the engine, above 0 and at most 1 (--gpu-memory-utilization).',
  ),
  runner: upstream(z.enum(['auto', 'generate', 'pooling']).optional(), "vLLM's --runner."),
  convert: upstream(
    z.enum(['token_embed', 'embed', 'token_classify', 'classify', 'score']).optional(),
    "vLLM's --convert, which turns a generation model into a pooling model.",
  ),
  prometheusMultiprocDir: upstream(text.optional(), 'PROMETHEUS_MULTIPROC_DIR of the engine.'),
  extraArgs: upstream(
    z.array(z.string()).optional(),
    'More arguments of vllm serve, one per item.',
  ),
  maxNumBatchedTokens: ours(
    positive.optional(),
    'Token budget of one step (--max-num-batched-tokens).',
  ),
  blockSize: ours(positive.optional(), 'Tokens in one KV block (--block-size).'),
  numGpuBlocksOverride: ours(
    positive.optional(),
    'Number of KV blocks in HBM, instead of as many as fit (--num-gpu-blocks-override).',
  ),
  schedulingPolicy: ours(
    z.enum(['fcfs', 'priority']).optional(),
    'Order of the waiting queue (--scheduling-policy).',
  ),
  kvEvents: ours(
    z.boolean().optional(),
    'Publish KV events over ZMQ (--kv-events-config): kvaware needs them, predictive uses them.',
  ),
  seed: ours(count.optional(), 'Seed of the engine (--seed).'),
});

/** KV cache outside HBM with LMCache. */
export const lmcacheConfig = z.strictObject({
  enabled: upstream(z.boolean().optional(), 'Run the engine with the LMCache connector.'),
  logLevel: upstream(
    z.enum(['DEBUG', 'INFO', 'WARNING', 'ERROR']).optional(),
    'LMCache log level.',
  ),
  hf_token: ignored(z.union([text, kubernetesObject]).optional(), 'Use hf_token of the entry.'),
  cpuOffloadingBufferSize: upstream(
    gigabytes.optional(),
    'Host DRAM for KV cache, in GB; 0: none.',
  ),
  diskOffloadingBufferSize: upstream(gigabytes.optional(), 'Disk for KV cache, in GB.'),
  kvRole: upstream(
    z.enum(['kv_both', 'kv_producer', 'kv_consumer']).optional(),
    'Whether the engine stores KV cache, loads it, or both.',
  ),
  enablePD: upstream(z.boolean().optional(), 'Disaggregated prefill.'),
  cudaVisibleDevices: upstream(text.optional(), 'CUDA_VISIBLE_DEVICES of the engine.'),
  enableNixl: upstream(z.boolean().optional(), 'Transfer KV cache with NIXL.'),
  nixlRole: upstream(z.enum(['sender', 'receiver']).optional(), 'Side of the NIXL transfer.'),
  nixlPeerHost: upstream(text.optional(), 'Host of the NIXL receiver.'),
  nixlPeerPort: upstream(numberOrText.optional(), 'Port of the NIXL receiver.'),
  nixlBufferSize: upstream(numberOrText.optional(), 'Bytes of the NIXL buffer.'),
  nixlBufferDevice: upstream(text.optional(), 'Device of the NIXL buffer: cuda or cpu.'),
  nixlEnableGc: upstream(z.boolean().optional(), 'Garbage collection of the NIXL buffer.'),
  enableController: upstream(z.boolean().optional(), 'Report to the LMCache controller.'),
  instanceId: upstream(text.optional(), 'LMCache instance id; the pod name if unset.'),
  controllerPort: upstream(numberOrText.optional(), 'Port where the controller pulls.'),
  controllerReplyPort: upstream(numberOrText.optional(), 'Port where the controller replies.'),
  workerPort: upstream(numberOrText.optional(), 'Port of the LMCache worker, under Ray.'),
  workerPorts: upstream(numberOrText.optional(), 'Ports of the LMCache workers.'),
  workerHeartbeatTime: upstream(numberOrText.optional(), 'Seconds between worker heartbeats.'),
  enableP2P: ours(
    z.boolean().optional(),
    'Read KV cache out of the host memory of other engines; needs enableController.',
  ),
  p2pHost: upstream(
    text.optional(),
    'Host name for peer-to-peer KV transfer; the address of the pod if unset.',
  ),
  p2pInitPorts: upstream(numberOrText.optional(), 'Ports for peer-to-peer KV transfer.'),
  p2pLookupPorts: ours(
    numberOrText.optional(),
    'Ports for requests of other engines for KV cache.',
  ),
  mpServer: ours(
    z
      .union([
        z.boolean(),
        z
          .string()
          .regex(/^[^\s:/]+:[1-9][0-9]{0,4}$/)
          .meta({ examples: ['lmcache:5555'] }),
      ])
      .optional(),
    'LMCache in multiprocess mode: HOST:PORT of its server (lmcache server), or true for one that each engine starts beside itself, with cpuOffloadingBufferSize as its memory.',
  ),
});

/** Cost of the tiers below HBM, for simulations. */
export const kvTiers = z.strictObject({
  hostGBps: ours(
    z.number().gt(0).optional(),
    "Bandwidth between one GPU and host memory, 10^9 byte/s each way; the GPU's PCIe bandwidth if unset.",
  ),
  stepMs: ours(
    z.number().min(0).optional(),
    'Time that offloading adds to each step; if unset the median of what was measured: 0.209 for native offload, 0.43 for LMCache. vLLM 0.19 lost none with native offload.',
  ),
  lookupMs: ours(
    z.number().min(0).optional(),
    'LMCache: host time of looking up one prompt, without stores; 0.5 if unset.',
  ),
  diskReadGBps: ours(
    z.number().gt(0).optional(),
    'Read bandwidth of an engine’s disk, 10^9 byte/s; 7 if unset.',
  ),
  diskWriteGBps: ours(
    z.number().gt(0).optional(),
    'Write bandwidth of an engine’s disk, 10^9 byte/s; 5 if unset.',
  ),
  peerGBps: ours(
    z.number().gt(0).optional(),
    'LMCache: bandwidth between two engines with enableP2P, 10^9 byte/s each way; 12.5 if unset.',
  ),
  load: ours(
    z.enum(['always', 'cheaper']).optional(),
    'Which hits below HBM to load, also after a preemption: all, as vLLM does, or those that load faster than they are computed.',
  ),
});
