// `spillway engine`: an embedded vLLM server, with vLLM's flags and a few of ours.

import { Command } from 'commander';
import {
  connectorName,
  createEngineServers,
  type EngineServer,
  type EngineServerOptions,
  lmcacheSettings,
  nixlSettings,
  type ResolvedEngine,
  readFaultFlags,
  readTokenizerInfo,
  resolveEngine,
  type TierFlags,
  withoutEmulation,
} from '../../apps/engine/index.ts';
import { InputError, version, withoutUndefined } from '../../core/base/index.ts';
import { type BlockHashAlgorithm, blockHashAlgorithms } from '../../core/kv/index.ts';
import {
  effectNotes,
  settingNames,
  settingsTable,
  sizingSettings,
  unknownFlagReason,
  vainSettings,
} from '../../core/layout/index.ts';
import { samplingDefaults } from '../../core/telemetry/index.ts';
import { defaultKvEventsConfig, lmcacheOverrides } from '../../core/vllm-config/index.ts';
import { openNote } from '../../io/listen/index.ts';
import { createLogger, type Logger } from '../../io/log/index.ts';
import { readGpuSpec } from '../../io/models/index.ts';
import { openTracing, readOtlpSettings } from '../../io/otlp/index.ts';
import { stopped, watchStopSignals } from '../../io/signals/index.ts';
import { defineEngineFlags, type EngineFlags } from '../engine/engine-flags.ts';
import { loraOptions } from '../engine/lora-flags.ts';
import { vllmArguments } from '../engine/vllm-arguments.ts';

/** How long an engine that stops waits for its collector. */
const tracesCloseMs = 2_000;

export function engineCommand(): Command {
  return defineEngineFlags(new LastOccurrenceCommand('engine')).action(run);
}

/** Accepts flags in all forms of `vllm serve`. */
class LastOccurrenceCommand extends Command {
  override parseOptions(args: string[]): ReturnType<Command['parseOptions']> {
    return super.parseOptions(vllmArguments(args));
  }

  /** Commander looks at the whole word, with the value behind the equals sign. */
  unknownOption(word: string): never {
    const flag = word.replace(/=.*$/s, '');
    const isSwitch = this.options.some(
      ({ long, required, optional }) => long === flag && !required && !optional,
    );
    const clause = isSwitch
      ? `${flag} takes no value, as in vLLM; write ${flag} or ${flag.replace('--', '--no-')}`
      : unknownFlagReason(word);
    return this.error(`error: ${clause}${clause.endsWith('?') ? '' : '.'}`, {
      code: 'commander.unknownOption',
    });
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
  const named = settingNames.filter((name) => command.getOptionValueSource(name) === 'cli');
  const sources = new Map(named.map((name) => [name, settingsTable[name].flag] as const));
  for (const note of effectNotes(vainSettings({ settings: flags, sources }, 'engine')))
    log.info(note);
  let onCrash = () => {};
  const crashed = new Promise<'crashed'>((resolve) => {
    onCrash = () => resolve('crashed');
  });
  const otlp = readOtlpSettings(
    {
      endpoint: flags.otlpTracesEndpoint,
      isSecure: false,
      protocol: undefined,
      serviceName: undefined,
    },
    process.env,
    'vllm',
    (message) => log.warning(message),
  );
  const sampling = { ...samplingDefaults, share: 1 };
  const tracing = otlp && (await openTracing({ otlp, sampling }, log));
  const { hasStandInTokenizer, ...engine } = await engineOptions(
    argument ?? flags.model,
    flags,
    log,
  );
  const options = {
    ...engine,
    log: (line: string) => log.warning(line),
    ...(tracing && { tracing }),
    onCrash,
  };
  const tier = await tierFlags(flags);
  for (const name of tier ? withoutEmulation(tier) : []) {
    const rest = options.tier ? 'the others alone' : 'nothing';
    log.warning(`${name} is not emulated; the engine runs with ${rest} below its KV cache.`);
  }
  const servers = await createEngineServers(options, flags.count);
  // Watches signals before the program is known to be ready and can be stopped. A later signal has no
  // effect: vLLM ignores it while it drains.
  const signals = watchStopSignals();
  await announce(servers, options, flags, hasStandInTokenizer);
  const isClosed = options.apiKey !== undefined || options.tls?.clientCertificates === 'required';
  const remedy = 'Give it one with VLLM_API_KEY.';
  const note = isClosed ? undefined : openNote(flags.host, 'this engine', remedy);
  if (note !== undefined) log.warning(note);
  const ending = await Promise.race([crashed, stopped(signals)]);
  // A crash does not notify clients.
  if (ending === 'crashed') process.exit(1);
  await Promise.all(servers.map((server) => server.drain()));
  await tracing?.exporter.close(tracesCloseMs);
  log.flush();
}

/** Returns the tier that the flags request; undefined for none. */
async function tierFlags(
  flags: EngineFlags,
  onNote?: (note: string) => void,
): Promise<TierFlags | undefined> {
  const { kvOffloadingSize, kvOffloadingBackend, kvTransferConfig } = flags;
  const tier = {
    offloadingGibibytes: kvOffloadingSize,
    offloadingBackend: kvOffloadingBackend,
    transfer: kvTransferConfig,
    ...(kvTransferConfig && {
      lmcache: await lmcacheSettings(process.env, onNote, lmcacheOverrides(kvTransferConfig)),
      nixl: nixlSettings(process.env),
    }),
  };
  return connectorName(tier) === undefined ? undefined : tier;
}

async function engineOptions(
  model: string,
  flags: EngineFlags,
  log: Logger,
): Promise<EngineServerOptions & Pick<ResolvedEngine, 'hasStandInTokenizer'>> {
  const { kvEventsConfig: kvEvents } = flags;
  // An embedded engine is one engine core.
  const { scheduler, dataParallelSize: _, ...sizes } = sizingSettings(flags);
  const { notes, ...resolved } = await resolveEngine(
    withoutUndefined({
      ...{ model, gpu: flags.gpu, profile: flags.profile, tokenizer: flags.tokenizer },
      standIn: flags.standIn,
      poolingFlags: {
        runner: flags.runner,
        convert: flags.convert,
        hfOverrides: flags.hfOverrides,
      },
      ...sizes,
      // In vLLM, overrides of the position embeddings allow a longer context.
      allowsLongContext: flags.hfOverrides !== undefined || isSet('VLLM_ALLOW_LONG_MAX_MODEL_LEN'),
      tier: await tierFlags(flags, (note) => log.warning(note)),
      config: scheduler,
    }),
  );
  for (const note of notes) log.warning(note);
  return withoutUndefined({
    ...resolved,
    ...{ host: flags.host, port: flags.port, seed: flags.seed },
    apiKey: flags.apiKey ?? (process.env['VLLM_API_KEY'] || undefined),
    servedModelNames: flags.servedModelName,
    timeScale: flags.timeScale,
    kvEvents: kvEvents ?? defaultKvEventsConfig,
    prefixCachingHashAlgorithm: emulatedHash(flags.prefixCachingHashAlgo, log),
    cors: {
      allowedOrigins: flags.allowedOrigins,
      allowedMethods: flags.allowedMethods,
      allowedHeaders: flags.allowedHeaders,
      allowCredentials: flags.allowCredentials,
    },
    tls: tlsFlags(flags),
    maxNumQueuedReqs: flags.maxNumQueuedReqs,
    maxNumQueuedTokens: flags.maxNumQueuedTokens,
    streamInterval: flags.streamInterval,
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
      ? await readTokenizerInfo(model, resolved.tokenizerFolder)
      : undefined,
    faults: readFaultFlags(flags.fault ?? []),
  });
}

/** vLLM serves https if it is given a certificate or a key. */
function tlsFlags(flags: EngineFlags): EngineServerOptions['tls'] {
  const { sslCertfile: cert, sslKeyfile: key, sslCaCerts: ca, sslCertReqs = 0 } = flags;
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined) throw new InputError('--ssl-keyfile needs --ssl-certfile.');
  const clientCertificates = (['ignored', 'optional', 'required'] as const)[sslCertReqs];
  return {
    files: { cert, key: key ?? cert, ca },
    clientCertificates: clientCertificates ?? 'ignored',
    isFollowed: flags.enableSslRefresh ?? false,
  };
}

/** The default for the algorithms of vLLM that are not emulated, with a warning. */
function emulatedHash(
  name: EngineFlags['prefixCachingHashAlgo'],
  log: Logger,
): BlockHashAlgorithm | undefined {
  const known = blockHashAlgorithms.find((algorithm) => algorithm === name);
  if (name !== undefined && known === undefined) {
    log.warning(
      `--prefix-caching-hash-algo ${name} is not emulated: KV events have the hashes of sha256. Use ${blockHashAlgorithms.join(' or ')}.`,
    );
  }
  return known;
}

/** One line per engine, in the order of their ports. */
async function announce(
  servers: readonly EngineServer[],
  { model, servedModelNames = [model] }: EngineServerOptions,
  { gpu, timeScale, json, standIn }: EngineFlags,
  hasStandInTokenizer: boolean,
): Promise<void> {
  const { name } = await readGpuSpec(gpu);
  const size = standIn === undefined ? '' : `, the size of ${standIn} in place of the model's`;
  const tokens = hasStandInTokenizer ? ", Qwen3's tokenizer in place of the model's" : '';
  for (const [index, { url, kvEvents }] of servers.entries()) {
    const ready = {
      ...{ event: 'ready', engine: index + 1, url, models: servedModelNames },
      ...(standIn !== undefined && { standIn }),
      ...(hasStandInTokenizer && { tokenizer: 'Qwen3' }),
    };
    process.stdout.write(
      json
        ? `${JSON.stringify({ ...ready, kvEvents: kvEvents?.endpoint, kvReplay: kvEvents?.replay_endpoint })}\n`
        : `ready: ${url}/v1 (emulation of vLLM by Spillway ${version}: ${name}, time scale ${Number.isFinite(timeScale) ? timeScale : 'inf'}, synthetic text${size}${tokens})\n`,
    );
  }
}

/** Whether a switch of vLLM's environment is on: `1`, or another text that vLLM accepts. */
function isSet(name: string): boolean {
  return /^\s*([1-9]\d*|true)\s*$/i.test(process.env[name] ?? '');
}
