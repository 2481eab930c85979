// Which engines a values file asks for, one entry per process, before ports are known.
import { InputError } from '../../core/base/index.ts';
import { engineCount, engineKind, type ModelSpec, type Values } from '../../core/values/index.ts';

/** An engine that runs already, somewhere. */
export interface RemoteEngine {
  readonly kind: 'url';
  readonly name: string;
  readonly url: string;
  /** Undefined: ask its /v1/models. */
  readonly model: string | undefined;
}

/** An engine that this program starts. */
export interface LocalEngine {
  readonly kind: 'embedded' | 'vllm';
  readonly name: string;
  /** The model's name to clients. */
  readonly model: string;
  readonly spec: ModelSpec;
}

export type EnginePlan = LocalEngine | RemoteEngine;

/**
 * Expands `servingEngineSpec.modelSpec` into engines, in the order of the file.
 *
 * @throws {InputError} If nothing is left to run, an entry lacks its model, or the router is off.
 */
export function planEngines(values: Values): EnginePlan[] {
  const { enableEngine, modelSpec } = values.servingEngineSpec;
  if (!values.routerSpec.enableRouter) {
    throw new InputError(
      'routerSpec.enableRouter is false, and "spillway up" always runs the router: leave the key out.',
    );
  }
  const engines = enableEngine
    ? modelSpec.filter((spec) => spec.enabled).flatMap((spec) => enginesOf(spec))
    : [];
  if (engines.length === 0) {
    throw new InputError(
      'there is no engine to run: give servingEngineSpec.modelSpec an enabled entry, or add a running engine with --engine http://HOST:PORT.',
    );
  }
  return engines;
}

/** Engines that are started in one process; what differs between them counts up from the first. */
export type ProcessGroup = readonly [LocalEngine, ...LocalEngine[]];

/** The processes that the engines need, in their order: one each, or one per entry of the file. */
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

/** The model's name to clients: as the last --served-model-name says, else modelURL, else name. */
export function servedModel(spec: ModelSpec): string {
  const args = spec.vllmConfig?.extraArgs ?? [];
  const joined = args.findLast((arg) => arg.startsWith('--served-model-name='));
  if (joined !== undefined) return joined.slice('--served-model-name='.length);
  const flag = args.lastIndexOf('--served-model-name');
  return (flag >= 0 ? args[flag + 1] : undefined) ?? spec.modelURL ?? spec.name;
}

function enginesOf(spec: ModelSpec): EnginePlan[] {
  const kind = engineKind(spec);
  if (kind === 'url') {
    const urls = spec.urls ?? [];
    return urls.map((url, index) => ({
      kind,
      name: nameOf(spec, index, urls.length),
      url: url.replace(/\/+$/, ''),
      model: spec.modelURL,
    }));
  }
  if (kind === 'vllm' && spec.modelURL === undefined) {
    throw new InputError(
      `servingEngineSpec.modelSpec "${spec.name}" is of kind vllm and lacks modelURL: give it the Hugging Face name or the path of the model.`,
    );
  }
  const count = engineCount(spec);
  return Array.from({ length: count }, (_, index) => ({
    kind,
    name: nameOf(spec, index, count),
    model: servedModel(spec),
    spec,
  }));
}

function nameOf(spec: ModelSpec, index: number, count: number): string {
  return count === 1 ? spec.name : `${spec.name}-${index + 1}`;
}
