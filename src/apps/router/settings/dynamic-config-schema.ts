// What a dynamic configuration file may contain: the keys of production-stack's DynamicRouterConfig, and the
// nested form of its YAML files.
import { z } from 'zod';
import { commaList, InputError } from '../../../core/base/index.ts';
import { policyNames } from '../../../core/routing/index.ts';
import { type UpstreamFlagNote, upstreamFlagNote } from '../../../core/upstream/index.ts';
import { placeAt, pythonYaml, readDocument, ValuesError } from '../../../core/values/index.ts';
import type { DiscoveredEndpoint } from '../../../io/endpoints/index.ts';
import type { LiveSettings } from './live-settings.ts';
import { checkedAliases, type ListNames, listedAliases, listedEngines } from './static-lists.ts';

const text = z.string();
/** A timer of Node holds 24 days. */
const seconds = z.int().min(1).max(2_000_000);
/** Keys of upstream's that cannot change while the router runs. A file may set them to null, as upstream's own output does. */
const fixedKeys = [
  'prefill_model_labels',
  'decode_model_labels',
  'k8s_port',
  'k8s_namespace',
  'k8s_label_selector',
] as const;

const schema = z.strictObject({
  service_discovery: text.nullish(),
  routing_logic: z.enum(policyNames).nullish(),
  static_backends: text.nullish(),
  static_models: z
    .union([
      text,
      z.record(
        text,
        z.strictObject({
          static_backends: z.array(text).optional(),
          static_model_type: text.optional(),
        }),
      ),
    ])
    .nullish(),
  static_model_labels: text.nullish(),
  static_aliases: z.union([text, z.record(text, text)]).nullish(),
  static_model_types: text.nullish(),
  static_backend_health_checks: z.boolean().nullish(),
  static_backend_health_check_interval: seconds.nullish(),
  static_backend_health_check_timeout_seconds: seconds.nullish(),
  session_key: text.nullish(),
  callbacks: text.nullish(),
  ...Object.fromEntries(fixedKeys.map((key) => [key, z.unknown().optional()])),
});

type Config = z.infer<typeof schema> & Readonly<Record<string, unknown>>;

export interface DynamicConfig {
  readonly settings: LiveSettings;
  /** As `/health` shows it: upstream's keys, sorted, in upstream's form. */
  readonly view: Readonly<Record<string, unknown>>;
  /** What is logged about keys without effect. */
  readonly notes: readonly UpstreamFlagNote[];
}

const names: ListNames = {
  backends: 'static_backends',
  models: 'static_models',
  aliases: 'static_aliases',
  labels: 'static_model_labels',
};

/**
 * @param base Values of keys that the file omits: those of the flags.
 * @param discovery How the router finds engines: `static` lets the file list them.
 * @throws {InputError} One line per problem: file, line, key, what is allowed.
 */
export function parseDynamicConfig(
  source: string,
  path: string,
  base: LiveSettings,
  discovery: string,
): DynamicConfig {
  const { value, written } = readDocument(schema, source, path, [], pythonYaml);
  const config = value as Config;
  const fault = (key: string, sentence: string) =>
    new ValuesError([{ place: placeAt(written, [key], 'key'), sentence }]);
  const { service_discovery: wanted } = config;
  if (wanted != null && wanted !== discovery) {
    const reason = `this router was started with "${discovery}"; omit the key`;
    throw fault('service_discovery', `service_discovery "${wanted}" does not work here: ${reason}`);
  }
  /** Runs a reader of lists, and adds the position of the key to its error. */
  const at = <T>(key: string, read: () => T): T => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      throw fault(key, `${key}: ${error.message.replace(/\.$/, '')}`);
    }
  };
  const models = config.static_models;
  const nested = typeof models === 'object' && models !== null;
  const enginesKey = nested ? 'static_models' : 'static_backends';
  if (config[enginesKey] != null && discovery !== 'static') {
    throw fault(
      enginesKey,
      `${enginesKey}: this router finds its engines by "${discovery}"; omit the key`,
    );
  }
  const engines = at(enginesKey, () => enginesOf(config)) ?? base.engines;
  const aliases = at('static_aliases', () => aliasesOf(config)) ?? base.aliases;
  const milliseconds = (value: number | null | undefined, baseMs: number) =>
    value == null ? baseMs : value * 1000;
  const settings: LiveSettings = {
    engines,
    aliases,
    policy: config.routing_logic ?? base.policy,
    sessionKey: config.session_key || base.sessionKey,
    healthIntervalMs: milliseconds(
      config.static_backend_health_check_interval,
      base.healthIntervalMs,
    ),
    healthTimeoutMs: milliseconds(
      config.static_backend_health_check_timeout_seconds,
      base.healthTimeoutMs,
    ),
  };
  return { settings, view: viewOf(settings, config, discovery), notes: notesOf(config) };
}

/** The keys without effect. */
function notesOf(config: Config): readonly UpstreamFlagNote[] {
  const { callbacks } = config;
  const note = callbacks ? upstreamFlagNote('callbacks', callbacks) : undefined;
  const fixed = fixedKeys.filter((key) => config[key] != null && config[key] !== '');
  const flags = fixed.map((key) => `--${key.replaceAll('_', '-')}`);
  return [
    ...(note === undefined ? [] : [{ ...note, text: note.text.replace(/^--/, '') }]),
    ...(fixed.length === 0
      ? []
      : [
          {
            level: 'warning' as const,
            text: `${fixed.join(', ')} in the dynamic configuration ${fixed.length === 1 ? 'has' : 'have'} no effect, because ${fixed.length === 1 ? 'it' : 'they'} cannot change while the router runs: start it with ${flags.join(', ')}.`,
          },
        ]),
  ];
}

/** Undefined if the file lists none. */
function enginesOf(config: Config): DiscoveredEndpoint[] | undefined {
  const { static_backends: backends, static_models: models, static_model_labels: labels } = config;
  const isNested = typeof models === 'object' && models !== null;
  if (labels && (isNested || backends == null)) {
    throw new InputError(
      'static_model_labels labels the engines of static_backends: give both, and static_models as a list.',
    );
  }
  if (isNested) {
    if (backends != null) {
      throw new InputError('static_models lists the engines already; omit static_backends.');
    }
    const pairs = Object.entries(models).flatMap(([model, { static_backends: urls = [] }]) =>
      urls.map((url) => ({ url, model })),
    );
    return listedEngines(
      pairs.map(({ url }) => url),
      pairs.map(({ model }) => model),
      names,
    );
  }
  if (backends == null) {
    if (models != null) throw new InputError('static_models requires static_backends.');
    return undefined;
  }
  const listed = models == null ? undefined : commaList(models);
  return listedEngines(
    ...([commaList(backends), listed, names, undefined] as const),
    labels ? commaList(labels) : undefined,
  );
}

function aliasesOf(config: Config): ReadonlyMap<string, string> | undefined {
  const { static_aliases: aliases } = config;
  if (aliases == null) return undefined;
  if (typeof aliases === 'string') return listedAliases(commaList(aliases), names);
  return checkedAliases(Object.entries(aliases), names);
}

function viewOf(settings: LiveSettings, config: Config, discovery: string): DynamicConfig['view'] {
  const { engines = [], aliases, healthIntervalMs, healthTimeoutMs } = settings;
  const models = engines.flatMap((engine) => engine.models);
  const list = (items: readonly string[]) => (items.length === 0 ? null : items.join(','));
  const view: Record<string, unknown> = {
    ...Object.fromEntries(fixedKeys.map((key) => [key, null])),
    callbacks: null,
    static_model_labels: list(engines.flatMap(({ label }) => label ?? [])),
    service_discovery: discovery,
    routing_logic: settings.policy,
    session_key: settings.sessionKey ?? null,
    static_backends: list(engines.map(({ url }) => url)),
    static_models: list(models),
    static_aliases: list(Array.from(aliases, ([alias, model]) => `${alias}:${model}`)),
    static_model_types: config.static_model_types ?? null,
    static_backend_health_checks: true,
    static_backend_health_check_interval: healthIntervalMs / 1000,
    static_backend_health_check_timeout_seconds: healthTimeoutMs / 1000,
  };
  const keys = Object.keys(view).sort();
  return Object.fromEntries(keys.map((key) => [key, view[key]]));
}
