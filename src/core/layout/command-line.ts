// Builds the command line of one engine from the keys of its entry, as the upstream chart's
// template does, in the same order. `spillway up` starts engines with it. The engine arguments of
// the chart are a template that is written from the same order (scripts/chart-arguments.ts).
import type { ModelEntry } from '../values/index.ts';
import { engineArguments } from './engine-arguments.ts';
import { textsOf, valueAt } from './entry-values.ts';
import { type KvEventAddresses, kvEventsWords, movedKvEventsWords } from './kv-event-flags.ts';
import { namesConnector } from './kv-tiers.ts';
import { hasMultiprocessServer, multiprocessConnector } from './lmcache-server.ts';
import { givenAt } from './read-settings.ts';
import type { Program } from './setting.ts';
import { type SettingName, settingNames, settingsTable } from './table.ts';

/** Come before vllmConfig, as in helm/templates/deployment-vllm-multi.yaml. */
const first: readonly SettingName[] = [
  ...(['gpu', 'profile', 'timeScale', 'tokenizer', 'fault'] as const),
  ...(['revision', 'enableLora', 'enableAutoToolChoice', 'toolCallParser'] as const),
  ...(['enableChunkedPrefill', 'enablePrefixCaching', 'maxModelLen', 'dtype'] as const),
  ...(['tensorParallelSize', 'pipelineParallelSize', 'maxNumSeqs', 'maxNumBatchedTokens'] as const),
  ...(['blockSize', 'numGpuBlocksOverride', 'schedulingPolicy', 'gpuMemoryUtilization'] as const),
  ...(['maxLoras', 'runner', 'convert', 'seed'] as const),
];
/** The template writes them after extraArgs. */
const last: readonly SettingName[] = ['chatTemplate'];
/** Their words are more than the value of the key. */
const composed: readonly SettingName[] = ['model', 'kvEventsConfig'];
/** Rows in neither list come in the order of the table. */
const others = settingNames.filter((name) => ![...first, ...last, ...composed].includes(name));

/** Programs that are started with the flags of an entry. */
export type StartedProgram = Program & ('engine' | 'serve' | 'chart');

/** Settings whose flags a program is started with, in the order of its command line. */
export interface WordOrder {
  /** Before KV events, `extraArgs` and LMCache's connector. */
  readonly before: readonly SettingName[];
  readonly after: readonly SettingName[];
}

/** Returns the order in which a program gets the flags of an entry's keys. */
export function wordOrder(program: StartedProgram): WordOrder {
  const given = (names: readonly SettingName[]) => names.filter((name) => hasFlag(name, program));
  return { before: given([...first, ...others]), after: given(last) };
}

/**
 * - `machine`: beside other engines, so that KV events of `extraArgs` get ports of their own;
 * - `pod`: a pod of the chart, in a network of its own;
 * - `resource`: a pod of the operator, where a switch that is not written keeps vLLM's default, not the chart's.
 */
export type EnginePlace = 'machine' | 'pod' | 'resource';

/** KV events of an engine in a pod, which has a network of its own: vLLM's ports, on all interfaces. */
export const podKvEvents: KvEventAddresses = {
  endpoint: 'tcp://*:5557',
  replayEndpoint: 'tcp://*:5558',
};

/**
 * Returns the flags of an entry, without model and address.
 *
 * @param program The program that gets the flags: those that it lacks are omitted.
 * @param place Where the program runs.
 * @param cacheNodes HOST:PORT of the stack's cache server, for Redis clients.
 * @example entryWords(entry, 'serve', addresses); // ['--max-model-len', '8192', …]
 * @see helm/templates/deployment-vllm-multi.yaml of vllm-project/production-stack
 */
export function entryWords(
  entry: ModelEntry,
  program: StartedProgram,
  kvEvents: KvEventAddresses,
  place: EnginePlace = 'machine',
  cacheNodes?: string,
): string[] {
  const { before, after } = wordOrder(program);
  const words = (names: readonly SettingName[]) =>
    names.flatMap((name) => wordsOf(entry, name, place));
  return [
    ...words(before),
    ...kvEventsWords(entry, kvEvents),
    ...(program === 'engine' ? engineArguments(entry) : (entry.vllmConfig?.extraArgs ?? [])),
    ...(place === 'machine' ? movedKvEventsWords(entry, kvEvents) : []),
    ...(program === 'engine' ? [] : lmcacheWords(entry, program, cacheNodes)),
    ...(program === 'chart' ? templateWords(entry) : words(after)),
  ];
}

/** vLLM lacks the flags that only the embedded engine has; the embedded engine has all of them. */
function hasFlag(name: SettingName, program: Program): boolean {
  return program === 'engine' || settingsTable[name].effects[program].kind === 'used';
}

function wordsOf(entry: ModelEntry, name: SettingName, place: EnginePlace): readonly string[] {
  const { flag, keys, value, defaultText } = settingsTable[name];
  return keys.flatMap((key) => {
    const given = place === 'resource' ? valueAt(entry, key) : givenAt(entry, name, key);
    if (given === undefined || given === '') return [];
    if (value.arity === 'switch') {
      // A switch that is off by default needs no `--no-` form.
      if (given === true) return [flag];
      return defaultText === 'on' ? [flag.replace('--', '--no-')] : [];
    }
    if (value.arity === 'repeated') return textsOf(given).flatMap((text) => [flag, text]);
    return [flag, ...textsOf(given)];
  });
}

/** Returns LMCache's connector; the chart also has that of old releases, and of disaggregated prefill. */
function lmcacheWords(entry: ModelEntry, program: StartedProgram, cacheNodes?: string): string[] {
  const { lmcacheConfig, vllmConfig } = entry;
  // vLLM uses the last one.
  if (!lmcacheConfig?.enabled || namesConnector(entry)) return [];
  if (hasMultiprocessServer(entry)) {
    return ['--kv-transfer-config', JSON.stringify(multiprocessConnector(entry, cacheNodes))];
  }
  const { kvRole = 'kv_both', enablePD, nixlRole = '' } = lmcacheConfig;
  const isOld = program === 'chart' && !enablePD && String(vllmConfig?.v0) === '1';
  const disaggregated = program === 'chart' && enablePD === true;
  const extra = { discard_partial_chunks: false, lmcache_rpc_port: nixlRole };
  return [
    '--kv-transfer-config',
    JSON.stringify({
      kv_connector: isOld ? 'LMCacheConnector' : 'LMCacheConnectorV1',
      kv_role: kvRole,
      ...(disaggregated ? { kv_connector_extra_config: extra } : {}),
    }),
  ];
}

/** In a pod, chat templates are in the folder /templates. */
function templateWords({ chatTemplate }: ModelEntry): string[] {
  return chatTemplate ? ['--chat-template', `/templates/${chatTemplate}`] : [];
}
