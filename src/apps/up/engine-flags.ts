// The command lines of engines: keys of the values file as flags.
import { gpuText, type ModelSpec } from '../../core/values/index.ts';

/** Loopback ports of one engine. */
export interface EnginePorts {
  readonly http: number;
  /** Where it publishes KV events. */
  readonly kvEvents: number;
  /** Where it replays KV events that a subscriber missed. */
  readonly kvReplay: number;
}

/**
 * Arguments of `spillway engine` for one embedded engine, or for several in one process.
 *
 * @param ports Those of the first; the next have the ports above.
 */
export function embeddedEngineFlags(spec: ModelSpec, ports: EnginePorts, count = 1): string[] {
  return [
    ...flag('--model', spec.modelURL),
    '--host',
    '127.0.0.1',
    '--port',
    String(ports.http),
    ...(count > 1 ? ['--count', String(count)] : []),
    ...flag('--gpu', gpuText(spec)),
    ...flag('--profile', spec.profile),
    ...flag('--time-scale', spec.timeScale),
    ...flag('--tokenizer', spec.tokenizer),
    ...(spec.faults ?? []).flatMap((fault) => ['--fault', fault]),
    ...vllmConfigFlags(spec, ports, '127.0.0.1'),
  ];
}

/**
 * Arguments of the vLLM server for one engine, in the order of the upstream chart's template.
 *
 * @param command The program and its first arguments. `… serve` takes the model as its argument;
 *   others, such as `python -m vllm.entrypoints.openai.api_server`, take it as `--model`.
 * @see helm/templates/deployment-vllm-multi.yaml of vllm-project/production-stack
 */
export function vllmFlags(
  spec: ModelSpec,
  ports: EnginePorts,
  command: readonly string[],
): string[] {
  const takesArgument = command.at(-1) === 'serve';
  const model = spec.modelURL ?? spec.name;
  return [
    ...(takesArgument ? [model] : ['--model', model]),
    '--host',
    '127.0.0.1',
    '--port',
    String(ports.http),
    ...flag('--revision', spec.modelRevision),
    ...(spec.enableLoRA ? ['--enable-lora'] : []),
    ...(spec.enableTool ? ['--enable-auto-tool-choice'] : []),
    ...flag('--tool-call-parser', spec.toolCallParser),
    // vLLM binds an address with `*` and connects to any other, so loopback cannot be named.
    ...vllmConfigFlags(spec, ports, '*'),
    ...kvTransferFlags(spec),
    ...flag('--chat-template', spec.chatTemplate),
  ];
}

/**
 * `vllmConfig`, for both kinds: the embedded engine's flags carry vLLM's names.
 *
 * @param eventsHost Where KV events are published: they hold the token ids of prompts.
 */
function vllmConfigFlags(spec: ModelSpec, ports: EnginePorts, eventsHost: string): string[] {
  const config = spec.vllmConfig;
  if (!config) return [];
  return [
    ...toggle('enable-chunked-prefill', config.enableChunkedPrefill),
    // The chart passes --no-enable-prefix-caching unless the key is true.
    ...toggle('enable-prefix-caching', config.enablePrefixCaching ?? false),
    ...flag('--max-model-len', config.maxModelLen),
    ...flag('--dtype', config.dtype),
    ...flag('--tensor-parallel-size', config.tensorParallelSize),
    ...flag('--pipeline-parallel-size', config.pipelineParallelSize),
    ...flag('--max-num-seqs', config.maxNumSeqs),
    ...flag('--max-num-batched-tokens', config.maxNumBatchedTokens),
    ...flag('--block-size', config.blockSize),
    ...flag('--num-gpu-blocks-override', config.numGpuBlocksOverride),
    ...flag('--scheduling-policy', config.schedulingPolicy),
    ...flag('--gpu-memory-utilization', config.gpuMemoryUtilization),
    ...flag('--max-loras', config.maxLoras),
    ...flag('--runner', config.runner),
    ...flag('--convert', config.convert),
    ...flag('--seed', config.seed),
    ...(config.kvEvents ? ['--kv-events-config', kvEventsConfig(ports, eventsHost)] : []),
    ...(config.extraArgs ?? []),
  ];
}

function kvEventsConfig(ports: EnginePorts, host: string): string {
  return JSON.stringify({
    enable_kv_cache_events: true,
    publisher: 'zmq',
    endpoint: `tcp://${host}:${ports.kvEvents}`,
    replay_endpoint: `tcp://${host}:${ports.kvReplay}`,
    topic: 'kv-events',
  });
}

function kvTransferFlags(spec: ModelSpec): string[] {
  if (!spec.lmcacheConfig?.enabled) return [];
  const kvRole = spec.lmcacheConfig.kvRole ?? 'kv_both';
  return [
    '--kv-transfer-config',
    JSON.stringify({ kv_connector: 'LMCacheConnectorV1', kv_role: kvRole }),
  ];
}

function flag(name: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [name, String(value)];
}

function toggle(name: string, value: boolean | undefined): string[] {
  if (value === undefined) return [];
  return [value ? `--${name}` : `--no-${name}`];
}
