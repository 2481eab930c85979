// Which engines a values file asks for, one entry per process, before ports are known.
import { engineAddress, InputError } from '../base/index.ts';
import { readEntry } from '../layout/index.ts';
import type { EngineRole } from '../routing/index.ts';
import { engineCount, engineKind, type ModelEntry, type Values } from '../values/index.ts';
import { roleIn } from './engine-role.ts';

/** An engine that already runs, here or elsewhere. */
export interface RemoteEngine {
  readonly kind: 'url';
  readonly name: string;
  readonly url: string;
  /** As written, for the router: with credentials, for example. @default url */
  readonly given?: string | undefined;
  /** Undefined to read it from /v1/models. */
  readonly model: string | undefined;
  /** Undefined where engines do the whole of a request. */
  readonly role?: EngineRole | undefined;
}

/** An engine that this program starts. */
export interface LocalEngine {
  readonly kind: 'embedded' | 'vllm';
  readonly name: string;
  /** The model's name for clients. */
  readonly model: string;
  readonly spec: ModelEntry;
  /** PEM file of the certificate that it serves https with; undefined for plain HTTP. */
  readonly certificate: string | undefined;
  /** Undefined where engines do the whole of a request. */
  readonly role?: EngineRole | undefined;
}

export type EnginePlan = LocalEngine | RemoteEngine;

/**
 * Expands `servingEngineSpec.modelSpec` into engines, in the order of the file.
 *
 * @throws {InputError} If there is no engine to run, or an entry lacks its model.
 */
export function planEngines(values: Values): EnginePlan[] {
  const { enableEngine, modelSpec } = values.servingEngineSpec;
  const engines = enableEngine
    ? modelSpec
        .filter((spec) => spec.enabled)
        .flatMap((spec) => {
          const role = roleIn(values, spec);
          return enginesOf(spec).map((engine) => (role ? { ...engine, role } : engine));
        })
    : [];
  if (engines.length === 0) {
    throw new InputError(
      'there is no engine to run: add an enabled entry to servingEngineSpec.modelSpec, or a running engine with --engine http://HOST:PORT.',
    );
  }
  return engines;
}

/** Engines that are started in one process; their names and ports count up from the first. */
export type ProcessGroup = readonly [LocalEngine, ...LocalEngine[]];

/** The processes that the engines need, in order: one per engine, or one per entry of the file. */
export function processGroups(values: Values, engines: readonly EnginePlan[]): ProcessGroup[] {
  const groups: [LocalEngine, ...LocalEngine[]][] = [];
  for (const engine of engines) {
    if (engine.kind === 'url') continue;
    const last = groups.at(-1);
    const joins =
      values.spillway.engineProcesses === 'shared' &&
      engine.kind === 'embedded' &&
      last?.[0].spec === engine.spec;
    if (joins) last.push(engine);
    else groups.push([engine]);
  }
  return groups;
}

/**
 * The model's name for clients: the first of --served-model-name, else modelURL, else name.
 *
 * @throws {InputError} If a key or an argument cannot be used.
 */
export function servedModel(spec: ModelEntry): string {
  return readEntry(spec).settings.servedModelName?.[0] ?? spec.modelURL ?? spec.name;
}

function enginesOf(spec: ModelEntry): EnginePlan[] {
  const kind = engineKind(spec);
  if (kind === 'url') {
    const { urls = [] } = spec;
    return urls.map((given, index) => {
      const { url } = engineAddress(given);
      return {
        kind,
        name: nameOf(spec, index, urls.length),
        url,
        ...(given.replace(/\/+$/, '') !== url && { given }),
        model: spec.modelURL,
      };
    });
  }
  if (kind === 'vllm' && spec.modelURL === undefined) {
    throw new InputError(
      `servingEngineSpec.modelSpec "${spec.name}" is of kind vllm and lacks modelURL: set it to the Hugging Face name or the path of the model.`,
    );
  }
  const count = engineCount(spec);
  return Array.from({ length: count }, (_, index) => ({
    kind,
    name: nameOf(spec, index, count),
    model: servedModel(spec),
    spec,
    certificate: readEntry(spec).settings.sslCertfile,
  }));
}

function nameOf(spec: ModelEntry, index: number, count: number): string {
  return count === 1 ? spec.name : `${spec.name}-${index + 1}`;
}
