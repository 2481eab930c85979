// `spillway engine`: an embedded vLLM server, with vLLM's flags and a few of ours.

import { Command } from 'commander';
import {
  connectorName,
  createEngineServers,
  type EngineServer,
  type EngineServerOptions,
  readFaultFlags,
  readTokenizerInfo,
  resolveEngine,
  type TierFlags,
  withoutEmulation,
} from '../../apps/engine/index.ts';
import { version } from '../../core/base/index.ts';
import { defaultKvEventsConfig } from '../../core/protocol/index.ts';
import { createLogger } from '../../io/log/index.ts';
import { readGpuSpec } from '../../io/models/index.ts';
import { defineEngineFlags, type EngineFlags } from '../engine/engine-flags.ts';
import { lastOccurrence } from '../engine/flag-values.ts';
import { loraOptions } from '../engine/lora-flags.ts';
import { meaninglessOptions, meaninglessSwitches } from '../engine/meaningless-flags.ts';
import { vllmArguments } from '../engine/vllm-arguments.ts';

export function engineCommand(): Command {
  return defineEngineFlags(new LastOccurrenceCommand('engine')).action(run);
}

/** Takes flags in all forms of `vllm serve`. Of a flag with a list that is given twice, the last list counts, as in vLLM. */
class LastOccurrenceCommand extends Command {
  override parseOptions(args: string[]): ReturnType<Command['parseOptions']> {
    const once = lastOccurrence(vllmArguments(args), '--served-model-name');
    return super.parseOptions(lastOccurrence(once, '--lora-modules'));
  }
}

async function run(
  argument: string | undefined,
  flags: EngineFlags,
  command: Command,
): Promise<void> {
  const log = createLogger({
    stream: process.stderr,
    level: flags.logLevel,
    format: flags.logFormat,
  });
  const ignored = [...meaninglessSwitches, ...meaninglessOptions].filter(
    (name) => command.getOptionValueSource(camelCase(name)) === 'cli',
  );
  if (ignored.length > 0) {
    log.info(`Without meaning in an emulation: ${ignored.map((name) => `--${name}`).join(', ')}`);
  }
  let onCrash = () => {};
  const crashed = new Promise<'crashed'>((resolve) => {
    onCrash = () => resolve('crashed');
  });
  const options = {
    ...(await engineOptions(argument ?? flags.model ?? 'Qwen/Qwen3-8B', flags)),
    log: (line: string) => log.warning(line),
    onCrash,
  };
  const tier = tierFlags(flags);
  for (const name of tier ? withoutEmulation(tier) : []) {
    const rest = options.tier ? 'the others alone' : 'nothing';
    log.warning(`${name} is not emulated: the engine runs with ${rest} below its KV cache.`);
  }
  const servers = await createEngineServers(options, flags.count);
  // Before anybody can know that it is ready, and stop it.
  const stopped = signalled();
  await announce(servers, options, flags);
  const ending = await Promise.race([crashed, stopped]);
  // A crash is a crash: no farewell to clients.
  if (ending === 'crashed') process.exit(1);
  await Promise.all(servers.map((server) => server.drain()));
  log.flush();
}

/** The tier that the flags ask for; undefined if they ask for none. */
function tierFlags(flags: EngineFlags): TierFlags | undefined {
  const { kvOffloadingSize, kvOffloadingBackend, kvTransferConfig } = flags;
  const tier = {
    offloadingGibibytes: kvOffloadingSize,
    offloadingBackend: kvOffloadingBackend,
    transfer: kvTransferConfig,
  };
  return connectorName(tier) === undefined ? undefined : tier;
}

async function engineOptions(model: string, flags: EngineFlags): Promise<EngineServerOptions> {
  const { numGpuBlocksOverride: numGpuBlocks, kvEventsConfig: kvEvents } = flags;
  const resolved = await resolveEngine(
    given({
      ...{
        model,
        gpu: flags.gpu,
        profile: flags.profile,
        tokenizer: flags.tokenizer,
        numGpuBlocks,
      },
      tensorParallelSize: flags.tensorParallelSize,
      pipelineParallelSize: flags.pipelineParallelSize,
      gpuMemoryUtilization: flags.gpuMemoryUtilization,
      kvCacheMemoryBytes: flags.kvCacheMemoryBytes,
      tier: tierFlags(flags),
      config: given({
        maxModelLen: flags.maxModelLen,
        maxNumSeqs: flags.maxNumSeqs,
        maxNumActiveSeqs: flags.maxNumActiveSeqs,
        maxNumBatchedTokens: flags.maxNumBatchedTokens,
        blockSize: flags.blockSize,
        enablePrefixCaching: flags.enablePrefixCaching,
        enableChunkedPrefill: flags.enableChunkedPrefill,
        longPrefillTokenThreshold: flags.longPrefillTokenThreshold,
        schedulingPolicy: flags.schedulingPolicy,
        maxLoras: flags.maxLoras,
      }),
    }),
  );
  return given({
    ...resolved,
    ...{ host: flags.host, port: flags.port, seed: flags.seed },
    apiKey: flags.apiKey ?? (process.env['VLLM_API_KEY'] || undefined),
    servedModelNames: flags.servedModelName,
    timeScale: flags.timeScale,
    kvEvents: kvEvents ?? defaultKvEventsConfig,
    prefixCachingHashAlgorithm: flags.prefixCachingHashAlgo,
    cors: {
      allowedOrigins: flags.allowedOrigins,
      allowedMethods: flags.allowedMethods,
      allowedHeaders: flags.allowedHeaders,
      allowCredentials: flags.allowCredentials,
    },
    maxNumQueuedReqs: flags.maxNumQueuedReqs,
    maxNumQueuedTokens: flags.maxNumQueuedTokens,
    shutdownTimeoutSeconds: flags.shutdownTimeout,
    dummyWeights: flags.loadFormat === 'dummy',
    enableAutoToolChoice: flags.enableAutoToolChoice,
    toolCallParser: flags.toolCallParser,
    ...(flags.structuredOutputsConfig && {
      grammarBackend: flags.structuredOutputsConfig.backend,
    }),
    enablePromptTokensDetails: flags.enablePromptTokensDetails,
    enableServerLoadTracking: flags.enableServerLoadTracking,
    enableForceIncludeUsage: flags.enableForceIncludeUsage,
    enableRequestIdHeaders: flags.enableRequestIdHeaders,
    hashSeed: process.env['PYTHONHASHSEED'],
    rawKvEventHashes: process.env['VLLM_KV_EVENTS_USE_INT_BLOCK_HASHES'] === '0',
    lora: loraOptions(flags),
    allowRuntimeLoraUpdating: isSet('VLLM_ALLOW_RUNTIME_LORA_UPDATING'),
    sseKeepAliveSeconds: flags.sseKeepAliveInterval,
    profiler: flags.profilerConfig?.profiler !== undefined,
    kvCacheMetricsSample: flags.kvCacheMetrics ? flags.kvCacheMetricsSample : undefined,
    devMode: isSet('VLLM_SERVER_DEV_MODE'),
    responsesStore: isSet('VLLM_ENABLE_RESPONSES_API_STORE'),
    enableScaleOut: flags.enableScaleOut,
    enablePerRequestMetrics: flags.enablePerRequestMetrics,
    reasoningParser: flags.reasoningParser,
    tokenizerInfo: flags.enableTokenizerInfoEndpoint
      ? await readTokenizerInfo({ model, tokenizer: flags.tokenizer })
      : undefined,
    faults: readFaultFlags(flags.fault ?? []),
  });
}

/** One line per engine, in the order of their ports. */
async function announce(
  servers: readonly EngineServer[],
  { model, servedModelNames = [model] }: EngineServerOptions,
  { gpu, timeScale, json }: EngineFlags,
): Promise<void> {
  const { name } = await readGpuSpec(gpu);
  for (const [index, { url, kvEvents }] of servers.entries()) {
    const news = { event: 'ready', engine: index + 1, url, models: servedModelNames };
    process.stdout.write(
      json
        ? `${JSON.stringify({ ...news, kvEvents: kvEvents?.endpoint, kvReplay: kvEvents?.replay_endpoint })}\n`
        : `ready: ${url}/v1 (emulation of vLLM by Spillway ${version}: ${name}, time scale ${timeScale}, synthetic text)\n`,
    );
  }
}

function signalled(): Promise<'signalled'> {
  return new Promise((resolve) => {
    // Every later signal too: vLLM ignores them while it drains.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => resolve('signalled'));
    }
  });
}

/** Switches of vLLM's environment: `1`, and what else vLLM takes for it. */
function isSet(name: string): boolean {
  return /^\s*([1-9]\d*|true)\s*$/i.test(process.env[name] ?? '');
}

/** Without the fields that are undefined: absent means default. */
function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}

function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
