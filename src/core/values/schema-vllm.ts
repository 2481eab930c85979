// The keys of vllmConfig and lmcacheConfig: the flags and the environment of one vLLM server.
import { z } from 'zod';
import { count, numberOrText, ours, positive, quantity, text, upstream } from './schema-keys.ts';

/** Settings of the engine itself. */
export const vllmConfig = z.strictObject({
  v0: upstream(numberOrText.optional(), '"1" runs the V0 engine of old vLLM releases.'),
  v1: upstream(numberOrText.optional(), '1 asks for the V1 engine, where Ray deploys it.'),
  enablePrefixCaching: upstream(
    z.boolean().optional(),
    'Prefix caching. The chart passes --no-enable-prefix-caching unless this is true.',
  ),
  enableChunkedPrefill: upstream(
    z.boolean().optional(),
    "Chunked prefill; vLLM's choice if unset.",
  ),
  maxModelLen: upstream(positive.optional(), 'Longest context in tokens (--max-model-len).'),
  dtype: upstream(text.optional(), 'Type of weights and activations (--dtype).'),
  tensorParallelSize: upstream(positive.optional(), 'GPUs that share each layer of one engine.'),
  pipelineParallelSize: upstream(
    positive.optional(),
    'Stages of layers in one engine; only with raySpec.',
  ),
  maxNumSeqs: upstream(positive.optional(), 'Most sequences in one step (--max-num-seqs).'),
  maxLoras: upstream(positive.optional(), 'Most LoRA adapters in one batch (--max-loras).'),
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
    'KV blocks in HBM, in place of what would fit (--num-gpu-blocks-override).',
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

/** KV cache outside HBM, by LMCache. */
export const lmcacheConfig = z.strictObject({
  enabled: upstream(z.boolean().optional(), 'Run the engine with the LMCache connector.'),
  logLevel: upstream(
    z.enum(['DEBUG', 'INFO', 'WARNING', 'ERROR']).optional(),
    'LMCache log level.',
  ),
  cpuOffloadingBufferSize: upstream(quantity.optional(), 'Host DRAM for KV cache, in GB; 0: none.'),
  diskOffloadingBufferSize: upstream(quantity.optional(), 'Disk for KV cache, in GB.'),
  kvRole: upstream(
    z.enum(['kv_both', 'kv_producer', 'kv_consumer']).optional(),
    'Whether the engine stores KV cache, loads it, or both.',
  ),
  enablePD: upstream(z.boolean().optional(), 'Disaggregated prefill.'),
  cudaVisibleDevices: upstream(text.optional(), 'CUDA_VISIBLE_DEVICES of the engine.'),
  enableNixl: upstream(z.boolean().optional(), 'Transfer KV cache by NIXL.'),
  nixlRole: upstream(z.enum(['sender', 'receiver']).optional(), 'Side of the NIXL transfer.'),
  nixlPeerHost: upstream(text.optional(), 'Host of the NIXL receiver.'),
  nixlPeerPort: upstream(numberOrText.optional(), 'Port of the NIXL receiver.'),
  nixlBufferSize: upstream(numberOrText.optional(), 'Bytes of the NIXL buffer.'),
  nixlBufferDevice: upstream(text.optional(), 'Where the NIXL buffer lies: cuda or cpu.'),
  nixlEnableGc: upstream(z.boolean().optional(), 'Garbage collection of the NIXL buffer.'),
  enableController: upstream(z.boolean().optional(), 'Report to the LMCache controller.'),
  instanceId: upstream(text.optional(), 'LMCache instance id; the pod name if unset.'),
  controllerPort: upstream(numberOrText.optional(), 'Port where the controller pulls.'),
  controllerReplyPort: upstream(numberOrText.optional(), 'Port where the controller replies.'),
  workerPort: upstream(numberOrText.optional(), 'Port of the LMCache worker, under Ray.'),
  workerPorts: upstream(numberOrText.optional(), 'Ports of the LMCache workers.'),
  workerHeartbeatTime: upstream(numberOrText.optional(), 'Seconds between worker heartbeats.'),
  p2pHost: upstream(text.optional(), 'Host name for peer-to-peer KV transfer.'),
  p2pInitPorts: upstream(numberOrText.optional(), 'Ports for peer-to-peer KV transfer.'),
});

/** What the levels below HBM cost, for simulations. */
export const kvTiers = z.strictObject({
  hostGBps: ours(
    z.number().gt(0).optional(),
    'Rate between one GPU and host memory, 10^9 byte/s each way; that of the PCIe of the GPU if unset.',
  ),
  stepMs: ours(
    z.number().min(0).optional(),
    'By which offloading lengthens each step. 0 if unset; vLLM 0.11 lost about 0.3.',
  ),
  lookupMs: ours(
    z.number().min(0).optional(),
    'LMCache: host time of looking up one prompt, stores not counted; 0.5 if unset.',
  ),
  diskReadGBps: ours(
    z.number().gt(0).optional(),
    'Rate of the disk of one engine in reading, 10^9 byte/s; 7 if unset.',
  ),
  diskWriteGBps: ours(z.number().gt(0).optional(), 'The same in writing; 5 if unset.'),
  load: ours(
    z.enum(['always', 'cheaper']).optional(),
    'Which hits below HBM to load: all, as vLLM does, or those that come sooner than they would be computed; also after a preemption.',
  ),
});
