// Moves API keys from arguments to the environments of the programs, since every user of a machine can read command lines.
import { withoutCredentials } from '../base/index.ts';
import { engineKind, type ModelEntry, type Values } from '../values/index.ts';

/**
 * Returns values in which no argument is the key of the router or of an embedded engine. vLLM keeps its arguments, because its command may
 * be one that starts a container, which does not get the environment. If all engines have the same key, the router uses it.
 */
export function keysInEnvironment(values: Values): Values {
  const { routerSpec, servingEngineSpec } = values;
  const router = splitKey(routerSpec.extraArgs);
  const { modelSpec: engines, vllmApiKey } = servingEngineSpec;
  const shared = sharedKey(engines.filter((entry) => entry.enabled && !hasLogins(entry)));
  const modelSpec = engines.map(withoutKey);
  return {
    ...values,
    routerSpec: {
      ...routerSpec,
      extraArgs: [...router.rest],
      ...(router.key !== undefined && { apiKey: router.key }),
    },
    servingEngineSpec: {
      ...servingEngineSpec,
      modelSpec,
      ...(shared !== undefined && !isSet(vllmApiKey) && { vllmApiKey: shared }),
    },
  };
}

/** Whether a key is a text, or in a secret of Kubernetes. */
function isSet(key: Values['servingEngineSpec']['vllmApiKey']): boolean {
  return typeof key === 'string' ? key !== '' : Boolean(key?.secretName);
}

function withoutKey(entry: ModelEntry): ModelEntry {
  const { vllmConfig, env = [] } = entry;
  const { key, rest } = splitKey(vllmConfig?.extraArgs ?? []);
  if (key === undefined || engineKind(entry) !== 'embedded') return entry;
  return {
    ...entry,
    vllmConfig: { ...vllmConfig, extraArgs: [...rest] },
    env: [...env, { name: 'VLLM_API_KEY', value: key }],
  };
}

/** Whether it is engines that run elsewhere, each with a user and a password of its own in place of a key. */
function hasLogins({ urls }: ModelEntry): boolean {
  return urls?.every((url) => withoutCredentials(url) !== url) === true;
}

/** The key in the arguments of all engines; undefined if one has none, or another one. */
function sharedKey(entries: readonly ModelEntry[]): string | undefined {
  const keys = new Set(entries.map(({ vllmConfig }) => splitKey(vllmConfig?.extraArgs ?? []).key));
  const [key] = keys;
  return keys.size === 1 ? key : undefined;
}

/**
 * Takes the key out of arguments. The last one counts; several after one flag, which only vLLM takes, stay, and so does one
 * beside a file of keys, which would take its place.
 */
function splitKey(words: readonly string[]): {
  readonly rest: readonly string[];
  readonly key: string | undefined;
} {
  const rest: string[] = [];
  let key: string | undefined;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const [, flag, , inline] = /^(--api[-_]key)(=(.*))?$/s.exec(word) ?? [];
    if (/^--api[-_]key[-_]file(=|$)/.test(word)) return { rest: words, key: undefined };
    if (flag === undefined) {
      rest.push(word);
      continue;
    }
    key = inline ?? words[++i];
    const next = words[i + 1];
    if (key === undefined || (next !== undefined && !next.startsWith('-'))) {
      return { rest: words, key: undefined };
    }
  }
  return { rest, key };
}
