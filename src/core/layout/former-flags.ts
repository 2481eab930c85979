// Flags of vLLM that releases before 0.32 had, and what replaced them.
import { isFlag } from './words.ts';

/** A flag that vLLM no longer has. */
export interface FormerFlag {
  /** The last minor release with the flag, `0.11`; undefined if only known to be older than 0.32. */
  readonly last: string | undefined;
  /** The rest of a sentence: what to do instead. */
  readonly instead: string;
}

const flags = (last: string | undefined, instead: string, names: string) =>
  Object.fromEntries(names.split(' ').map((name) => [name, { last, instead }]));

/** From the releases' own help and release notes. */
const formerFlags: Readonly<Record<string, FormerFlag>> = {
  ...flags(
    '0.8',
    `use --speculative-config '{"method": …, "model": …, "num_speculative_tokens": …}'`,
    '--speculative-model --num-speculative-tokens --speculative-model-quantization --speculative-draft-tensor-parallel-size --speculative-max-model-len --speculative-disable-by-batch-size --speculative-disable-mqa-scorer --ngram-prompt-lookup-max --ngram-prompt-lookup-min --spec-decoding-acceptance-method --typical-acceptance-sampler-posterior-threshold --typical-acceptance-sampler-posterior-alpha --disable-logprobs-during-spec-decoding',
  ),
  ...flags('0.11', 'use --structured-outputs-config.backend', '--guided-decoding-backend'),
  ...flags(
    '0.11',
    `use --structured-outputs-config '{"disable_fallback": …, "disable_any_whitespace": …, "disable_additional_properties": …}'`,
    '--guided-decoding-disable-fallback --guided-decoding-disable-any-whitespace --guided-decoding-disable-additional-properties',
  ),
  ...flags('0.11', `use --hf-overrides '{"rope_parameters": …}'`, '--rope-scaling --rope-theta'),
  ...flags(undefined, 'use --runner and --convert', '--task'),
  ...flags('0.9', 'remove it, as --reasoning-parser is enough', '--enable-reasoning'),
  ...flags(undefined, 'remove it, as vLLM finds the device', '--device'),
  ...flags(
    undefined,
    'remove it; --kv-offloading-size keeps KV cache in host memory',
    '--swap-space',
  ),
  ...flags(
    '0.10',
    'remove it, as the V1 engine has no such setting',
    '--num-scheduler-steps --multi-step-stream-outputs --scheduler-delay-factor --preemption-mode --use-v2-block-manager --num-lookahead-slots --disable-async-output-proc --enable-lora-bias --long-lora-scaling-factors',
  ),
  ...flags(
    undefined,
    'use --long-prefill-token-threshold',
    '--max-num-partial-prefills --max-long-partial-prefills',
  ),
  ...flags(
    '0.11',
    'use --max-cudagraph-capture-size',
    '--max-seq-len-to-capture --max-context-len-to-capture',
  ),
  ...flags('0.11', 'use --cudagraph-capture-sizes', '--cuda-graph-sizes'),
  ...flags('0.11', `use --compilation-config '{"cudagraph_mode": "FULL"}'`, '--full-cuda-graph'),
  ...flags('0.6', 'use --distributed-executor-backend ray', '--worker-use-ray --engine-use-ray'),
  ...flags('0.11', 'use --mm-processor-cache-gb 0', '--disable-mm-preprocessor-cache'),
  ...flags('0.11', 'use --pooler-config', '--override-pooler-config'),
  ...flags('0.10', 'use --additional-config', '--override-neuron-config'),
  ...flags(
    '0.11',
    'remove it, as adapters no longer add words to the vocabulary',
    '--lora-extra-vocab-size',
  ),
  ...flags(
    '0.10',
    'remove it, as prompt adapters are gone',
    '--prompt-adapters --enable-prompt-adapter --max-prompt-adapters --max-prompt-adapter-token',
  ),
  ...flags('0.7', 'remove it, as the scales are in the checkpoint', '--quantization-param-path'),
  ...flags(
    '0.10',
    'use --model with the adapter merged, or --lora-modules',
    '--qlora-adapter-name-or-path',
  ),
  ...flags(
    '0.11',
    `use --eplb-config '{"num_redundant_experts": …, "window_size": …, "step_interval": …}'`,
    '--num-redundant-experts --eplb-window-size --eplb-step-interval --eplb-log-balancedness',
  ),
  ...flags(
    '0.11',
    'remove it',
    '--tokenizer-pool-size --tokenizer-pool-type --tokenizer-pool-extra-config --ray-workers-use-nsight',
  ),
};

/** @param flag In any of vLLM's spellings, without its value. */
export function formerFlag(flag: string): FormerFlag | undefined {
  const dashed = flag.replaceAll('_', '-');
  return Object.hasOwn(formerFlags, dashed) ? formerFlags[dashed] : undefined;
}

/** Keys of `--kv-transfer-config` that vLLM 0.32 no longer has. */
const formerKeys: readonly string[] = ['kv_rank', 'kv_parallel_size', 'kv_ip', 'kv_buffer_size'];

/** A connector that vLLM 0.32 no longer has, or has under another name. */
interface FormerConnector {
  readonly last: string | undefined;
  readonly now?: string;
}

const formerConnectors: Readonly<Record<string, FormerConnector>> = {
  SharedStorageConnector: { last: '0.12', now: 'ExampleConnector' },
  LMCacheConnector: { last: '0.10', now: 'LMCacheConnectorV1' },
  P2pNcclConnector: { last: undefined },
  PyNcclConnector: { last: '0.10' },
};

/** What a connector's configuration has that vLLM 0.32 has not. */
export interface FormerTransfer {
  readonly keys: readonly string[];
  /** Its former connector, and what that is called in vLLM 0.32, if it is there. */
  readonly connector?: FormerConnector & { readonly name: string };
}

/** Returns what is old about a value of `--kv-transfer-config`; undefined if nothing is, or if it is not a JSON object. */
export function formerTransfer(text: string): FormerTransfer | undefined {
  const given = objectOf(text);
  if (given === undefined) return undefined;
  const keys = formerKeys.filter((key) => Object.hasOwn(given, key));
  const name = given['kv_connector'];
  const former =
    typeof name === 'string' && Object.hasOwn(formerConnectors, name)
      ? formerConnectors[name]
      : undefined;
  if (keys.length === 0 && former === undefined) return undefined;
  return { keys, ...(former && { connector: { ...former, name: String(name) } }) };
}

/**
 * Returns the arguments as vLLM 0.32 has them, for what is read or emulated here: connectors under their names of today, without
 * their former keys. A connector that is gone is omitted with its flag.
 */
export function currentTransfers(words: readonly string[]): readonly string[] {
  const result: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const transfer = transferAt(words, i);
    if (transfer === undefined) {
      result.push(words[i] as string);
      continue;
    }
    i += transfer.words - 1;
    const now = currentTransfer(transfer.value);
    if (now !== undefined) result.push('--kv-transfer-config', now);
  }
  return result;
}

/** The value of a `--kv-transfer-config` that begins at a word, and the number of its words; undefined for other words. */
export function transferAt(
  words: readonly string[],
  index: number,
): { readonly value: string; readonly words: 1 | 2 } | undefined {
  const [flag, inline] =
    /^--kv[-_]transfer[-_]config(?:=([\s\S]*))?$/.exec(words[index] ?? '') ?? [];
  if (flag === undefined) return undefined;
  if (inline !== undefined) return { value: inline, words: 1 };
  const next = words[index + 1];
  return next === undefined || isFlag(next) ? undefined : { value: next, words: 2 };
}

function currentTransfer(text: string): string | undefined {
  const given = objectOf(text);
  if (given === undefined) return text;
  const former = formerTransfer(text);
  const port = given['kv_port'];
  const isQuoted = typeof port === 'string' && /^\d+$/.test(port);
  if (former === undefined && !isQuoted) return text;
  if (former?.connector !== undefined && former.connector.now === undefined) return undefined;
  const kept = Object.entries(given).filter(([key]) => !formerKeys.includes(key));
  return JSON.stringify({
    ...Object.fromEntries(kept),
    ...(former?.connector && { kv_connector: former.connector.now }),
    ...(isQuoted && { kv_port: Number(port) }),
  });
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
