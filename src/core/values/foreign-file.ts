// Recognises files that are not values files, or whose values are below another key, and says what to do with them.
import type { Problem } from './problem.ts';
import { type Dictionary, type Path, pathText, type Tree } from './tree.ts';

/** Keys by which a map is recognised as our values. */
const ownKeys = ['servingEngineSpec', 'routerSpec', 'cacheserverSpec', 'loraAdapters'];

/** Maximum depth at which the values of a chart below others are looked for: Argo's `spec.source.helm.valuesObject` and a name. */
const depthMax = 5;
/** Maximum number of places named in one sentence. */
const placesShownMax = 4;

/** Returns the problem of a file that is no values file; undefined if it may be one. */
export function foreignFile(tree: Dictionary): Problem | undefined {
  if (ownKeys.some((key) => tree.entries.has(key))) return undefined;
  const below = placesOfValues(tree);
  const sentence = below.length > 0 ? umbrellaSentence(tree, below) : otherProgram(tree);
  const [first] = below;
  const key = first === undefined ? [...tree.entries.keys()][0] : String(first[0]);
  const place = tree.entries.get(key ?? '')?.place ?? tree.place;
  return sentence === undefined ? undefined : { place, sentence };
}

function umbrellaSentence(tree: Dictionary, below: readonly Path[]): string {
  const names = below.slice(0, placesShownMax).map((path) => pathText(path));
  const [name = ''] = names;
  const flag = `--subchart ${/[\s\\"']/.test(name) ? `'${name}'` : name}`;
  const where = names.length === 1 ? name : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  const what = tree.entries.has('apiVersion')
    ? `this is a Kubernetes object, with values of this chart below ${where}`
    : `these are values of a chart that contains this one: its own are below ${where}`;
  return `${what}; read that part with ${flag}, or write it to a file with "spillway config show ${flag} -f ${tree.place.source}"`;
}

/** Returns the paths of the maps that look like our values, outermost first. */
function placesOfValues(tree: Dictionary): readonly Path[] {
  const found: Path[] = [];
  const walk = (node: Tree, path: Path): void => {
    if (node.kind !== 'map') return;
    if (path.length > 0 && ownKeys.some((key) => node.entries.get(key)?.value.kind === 'map')) {
      found.push(path);
      return;
    }
    if (path.length >= depthMax) return;
    for (const [key, { value }] of node.entries) walk(value, [...path, key]);
  };
  walk(tree, []);
  return found;
}

/** Files of other programs, by keys that only they have at the top. */
const others: readonly (readonly [keys: readonly (readonly string[])[], sentence: string])[] = [
  [
    [['model_list'], ['litellm_settings'], ['litellm_params']],
    'this is a configuration of LiteLLM, not a values file: list the models in servingEngineSpec.modelSpec (or, for engines that already run, the api_base of each without /v1 in urls, with kind: url), ' +
      'start them with "spillway up -f FILE", and either let clients ask Spillway\'s router, or give its address with /v1 to LiteLLM as api_base',
  ],
  [
    [['services', 'version'], ['services', 'volumes'], ['services', 'networks'], ['services']],
    'this is a Compose file, not a values file: list the models of its services in servingEngineSpec.modelSpec; "spillway config presets laptop" prints a file to start from',
  ],
  [
    [['service_discovery', 'routing_logic'], ['static_backends'], ['static_models']],
    'this is a configuration of the router, not a values file: give it to "spillway router --dynamic-config-json FILE"',
  ],
  [
    [
      ['chunk_size', 'local_cpu'],
      ['local_cpu', 'max_local_cpu_size'],
      ['chunk_size', 'remote_url'],
      ['local_cpu'],
      ['remote_url', 'remote_serde'],
    ],
    'this is a configuration of LMCache, not a values file: its sizes are lmcacheConfig of an entry of servingEngineSpec.modelSpec, or name the file in LMCACHE_CONFIG_FILE in env',
  ],
  [
    [['scrape_configs'], ['rule_files']],
    'this is a configuration of Prometheus, not a values file',
  ],
];

function otherProgram({ entries }: Dictionary): string | undefined {
  const has = (keys: readonly string[]) => keys.every((key) => entries.has(key));
  for (const [keys, sentence] of others) if (keys.some(has)) return sentence;
  if (has(['apiVersion', 'kind'])) {
    const kind = entries.get('kind')?.value;
    const name = kind?.kind === 'leaf' && typeof kind.value === 'string' ? ` ${kind.value}` : '';
    return `this is a Kubernetes object${name}, not a values file: "kubectl apply" creates it; objects beside the stack may stand in extraObjects`;
  }
  if (isServeConfig(entries)) {
    return 'this is a configuration of "vllm serve", not a values file: "spillway engine --config FILE" starts an emulated engine with it; in a values file, modelURL names the model and vllmConfig.extraArgs has the flags, each with -- in front';
  }
  return undefined;
}

/** A file for `vllm serve --config`: flags without their dashes. */
function isServeConfig(entries: Dictionary['entries']): boolean {
  const names = [...entries.keys()].map((key) => key.replaceAll('_', '-'));
  const model = entries.get('model')?.value ?? entries.get('model-tag')?.value;
  const isFlags = serveFlags.filter((flag) => names.includes(flag)).length;
  return model?.kind === 'leaf' ? isFlags >= 1 : isFlags >= 2;
}

/** The flags that nearly every such file has some of. */
const serveFlags = [
  'served-model-name',
  'max-model-len',
  'gpu-memory-utilization',
  'tensor-parallel-size',
  'pipeline-parallel-size',
  'data-parallel-size',
  'enable-prefix-caching',
  'enable-auto-tool-choice',
  'tool-call-parser',
  'reasoning-parser',
  'trust-remote-code',
  'max-num-seqs',
  'max-num-batched-tokens',
  'kv-cache-dtype',
  'quantization',
  'dtype',
  'api-key',
  'uvicorn-log-level',
];
