// The flags of `spillway up` that change the values: shorthands for common changes.
import { InputError } from '../../core/base/index.ts';
import { engineKind, type Values } from '../../core/values/index.ts';

/** An unset flag leaves the values as they are. */
export interface UpOverrides {
  readonly engines?: number | undefined;
  readonly gpu?: string | undefined;
  readonly model?: string | undefined;
  /** Of each model that is not in the catalogue. */
  readonly standIn?: string | undefined;
  readonly policy?: Values['routerSpec']['routingLogic'] | undefined;
  readonly timeScale?: number | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly dashboard?: boolean | undefined;
  /** URLs of running engines to add. */
  readonly engineUrls?: readonly string[] | undefined;
}

/**
 * Applies the flags.
 *
 * @throws {InputError} If --engines or --model is given and the file does not have exactly one
 *   entry that is started.
 */
export function overrideValues(values: Values, overrides: UpOverrides): Values {
  const { servingEngineSpec, routerSpec, spillway } = values;
  const urls = overrides.engineUrls ?? [];
  const added = urls.length === 0 ? [] : [urlEntry(urls)];
  const modelSpec = [...overrideModels(servingEngineSpec.modelSpec, overrides), ...added];
  return {
    ...values,
    servingEngineSpec: { ...servingEngineSpec, modelSpec },
    routerSpec: {
      ...routerSpec,
      host: overrides.host ?? routerSpec.host,
      containerPort: overrides.port ?? routerSpec.containerPort,
      routingLogic: overrides.policy ?? routerSpec.routingLogic,
    },
    spillway: {
      ...spillway,
      dashboard: overrides.dashboard ?? spillway.dashboard,
      ...(overrides.standIn !== undefined && { standIn: overrides.standIn }),
    },
  };
}

type Entries = Values['servingEngineSpec']['modelSpec'];

function overrideModels(entries: Entries, overrides: UpOverrides): Entries {
  const { engines, gpu, model, timeScale } = overrides;
  const started = entries.filter((entry) => entry.enabled && engineKind(entry) !== 'url');
  for (const [flag, value] of [
    ['--engines', engines],
    ['--model', model],
  ] as const) {
    if (value === undefined || started.length === 1) continue;
    const found = started.length === 0 ? 'none' : started.map(({ name }) => name).join(', ');
    throw new InputError(
      `${flag} needs exactly one model that "spillway up" starts, but the values have ${found}: set it in the values file, or with --set servingEngineSpec.modelSpec[0].…`,
    );
  }
  return entries.map((entry) => {
    if (!started.includes(entry)) return entry;
    return {
      ...entry,
      ...(engines === undefined ? {} : { replicaCount: engines }),
      ...(model === undefined ? {} : { modelURL: model, name: nameOf(model) }),
      ...(gpu === undefined ? {} : { gpu }),
      ...(timeScale === undefined ? {} : { timeScale: timeScaleKey(timeScale) }),
    };
  });
}

/** YAML and JSON have no common spelling of infinity, so the key has a word for it. */
function timeScaleKey(timeScale: number): number | 'inf' {
  return Number.isFinite(timeScale) ? timeScale : 'inf';
}

function urlEntry(urls: readonly string[]): Entries[number] {
  return { name: 'engine', kind: 'url', urls: [...urls], enabled: true, replicaCount: 1 };
}

/** `Qwen/Qwen3-8B` becomes `qwen3-8b`, a valid name in Kubernetes. */
function nameOf(model: string): string {
  const last = model.split('/').findLast((part) => part !== '') ?? model;
  return last.toLowerCase().replace(/[^a-z0-9.-]+/g, '-');
}
