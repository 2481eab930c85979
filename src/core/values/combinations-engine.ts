// Checks entries of modelSpec for contradictions within and between them. Disabled entries may
// contain some: they are not run, and the upstream chart's own example, which is disabled, does.
import { counted } from '../base/index.ts';
import { type Conflict, pdbConflicts } from './conflict.ts';
import { quantityValue } from './quantity.ts';
import { engineKind, type ModelEntry, type Values } from './schema.ts';
import { type Path, pathText, type Step } from './tree.ts';

type Add = (key: readonly Step[], others: readonly (readonly Step[])[], sentence: string) => void;

export function engineConflicts({ servingEngineSpec }: Values): Conflict[] {
  const conflicts: Conflict[] = [];
  const firstNamed = new Map<string, Path>();
  for (const [index, entry] of servingEngineSpec.modelSpec.entries()) {
    if (!entry.enabled) continue;
    const base: Path = ['servingEngineSpec', 'modelSpec', index];
    const add: Add = (key, others, sentence) => {
      const path = [...base, ...key];
      conflicts.push({
        path,
        others: others.map((other) => [...base, ...other]),
        sentence: `${pathText(path)} ${sentence}`,
      });
    };
    const earlier = firstNamed.get(entry.name);
    if (earlier === undefined) firstNamed.set(entry.name, base);
    else {
      add(
        ['name'],
        [],
        `is "${entry.name}", which ${pathText(earlier)} already has; names must be unique`,
      );
    }
    checkKind(entry, add);
    checkParallelism(entry, add);
    checkScheduler(entry, add);
    checkResources(entry, add);
    checkScaling(entry, add);
    conflicts.push(...pdbConflicts([...base, 'pdb'], entry.pdb));
  }
  return conflicts;
}

/** Keys that only the embedded engine supports. */
const embeddedOnly = ['profile', 'timeScale', 'tokenizer', 'faults'] as const;

function checkKind(entry: ModelEntry, add: Add): void {
  const kind = engineKind(entry);
  if (kind === 'url' && entry.urls === undefined) {
    add(['kind'], [['urls']], 'is url, so urls must list the base URLs of the engines');
  }
  if (kind !== 'url' && entry.urls !== undefined) {
    add(['urls'], [['kind']], `needs kind: url, but kind is ${kind}; remove one of them`);
  }
  if (kind === 'embedded') return;
  for (const key of embeddedOnly) {
    if (entry[key] !== undefined) {
      add([key], [['kind']], `is for the embedded engine, but kind is ${kind}; remove it`);
    }
  }
}

function checkParallelism(entry: ModelEntry, add: Add): void {
  const tensor = entry.vllmConfig?.tensorParallelSize ?? 1;
  const pipeline = entry.vllmConfig?.pipelineParallelSize ?? 1;
  const ray = entry.raySpec?.enabled === true;
  const perPod = gpusOf(entry);
  if (perPod === undefined || perPod === 0) return;
  const needed = tensor * pipeline;
  const head = ray ? (gpusOf(entry.raySpec?.headNode ?? {}) ?? 0) : 0;
  const available = ray ? head + perPod * entry.replicaCount : perPod;
  if (needed <= Math.ceil(available)) return;
  const product =
    pipeline > 1
      ? `(${tensor}) times pipelineParallelSize (${pipeline}) needs ${counted(needed, 'GPU')}`
      : `(${tensor}) needs ${counted(tensor, 'GPU')}`;
  add(
    ['vllmConfig', 'tensorParallelSize'],
    [
      ['requestGPU'],
      ['resources'],
      ['raySpec'],
      ['replicaCount'],
      ['vllmConfig', 'pipelineParallelSize'],
    ],
    ray
      ? `${product}, but head and workers together request ${available}`
      : `${product} per engine, but ${entry.resources ? 'resources request' : 'requestGPU is'} ${available}${
          entry.raySpec?.headNode === undefined
            ? ''
            : '; raySpec.enabled: true makes one engine of head and workers, as this raySpec seems to mean'
        }`,
  );
}

/** Number of GPUs of one pod; undefined if the entry does not say. */
function gpusOf(
  entry: Pick<ModelEntry, 'requestGPU' | 'requestGPUType' | 'resources'>,
): number | undefined {
  const type = entry.requestGPUType ?? 'nvidia.com/gpu';
  const raw = entry.resources;
  if (raw !== undefined && Object.keys(raw).length > 0) {
    return quantityValue(member(raw, 'limits', type) ?? member(raw, 'requests', type));
  }
  return quantityValue(entry.requestGPU);
}

function checkScheduler(entry: ModelEntry, add: Add): void {
  const { maxNumBatchedTokens, maxNumSeqs, maxModelLen, enableChunkedPrefill } =
    entry.vllmConfig ?? {};
  if (maxNumBatchedTokens !== undefined && maxNumBatchedTokens < (maxNumSeqs ?? 0)) {
    add(
      ['vllmConfig', 'maxNumBatchedTokens'],
      [['vllmConfig', 'maxNumSeqs']],
      `(${maxNumBatchedTokens}) must not be below maxNumSeqs (${maxNumSeqs}), since each sequence takes a token of the step`,
    );
  }
  if (
    enableChunkedPrefill === false &&
    maxNumBatchedTokens !== undefined &&
    maxNumBatchedTokens < (maxModelLen ?? 0)
  ) {
    add(
      ['vllmConfig', 'maxNumBatchedTokens'],
      [
        ['vllmConfig', 'maxModelLen'],
        ['vllmConfig', 'enableChunkedPrefill'],
      ],
      `(${maxNumBatchedTokens}) must not be below maxModelLen (${maxModelLen}) without chunked prefill`,
    );
  }
  const parserInArguments = entry.vllmConfig?.extraArgs?.some((argument) =>
    /^--tool[-_]call[-_]parser(=|$)/.test(argument),
  );
  if (entry.enableTool && !entry.toolCallParser && !parserInArguments) {
    add(
      ['enableTool'],
      [['toolCallParser'], ['vllmConfig', 'extraArgs']],
      'needs toolCallParser, which vLLM requires with --enable-auto-tool-choice',
    );
  }
}

const limits = [
  ['limitCPU', 'requestCPU'],
  ['limitMemory', 'requestMemory'],
  ['limitGPUMem', 'requestGPUMem'],
  ['limitGPUMemPercentage', 'requestGPUMemPercentage'],
  ['limitGPUCores', 'requestGPUCores'],
] as const;

function checkResources(entry: ModelEntry, add: Add): void {
  for (const [limit, request] of limits) {
    if (below(entry[limit], entry[request])) {
      add(
        [limit],
        [[request]],
        `(${entry[limit]}) must not be below ${request} (${entry[request]})`,
      );
    }
  }
  for (const resource of Object.keys((entry.resources?.['limits'] as object | undefined) ?? {})) {
    const limit = member(entry.resources, 'limits', resource);
    const request = member(entry.resources, 'requests', resource);
    if (below(limit, request)) {
      add(
        ['resources', 'limits', resource],
        [['resources', 'requests', resource]],
        `(${limit}) must not be below its request (${request})`,
      );
    }
  }
  if (entry.requestGPUMem !== undefined && entry.requestGPUMemPercentage !== undefined) {
    add(
      ['requestGPUMemPercentage'],
      [['requestGPUMem']],
      'and requestGPUMem cannot both be set; keep one of them',
    );
  }
}

function below(limit: unknown, request: unknown): boolean {
  const [most, least] = [quantityValue(limit), quantityValue(request)];
  return most !== undefined && least !== undefined && most < least;
}

function member(map: unknown, ...keys: readonly string[]): unknown {
  return keys.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string, unknown>)[key]
        : undefined,
    map,
  );
}

/** @see https://keda.sh/docs/latest/reference/scaledobject-spec/ for the bounds. */
function checkScaling(entry: ModelEntry, add: Add): void {
  const { keda } = entry;
  if (!keda?.enabled) return;
  const least = keda.minReplicaCount ?? 0;
  const most = keda.maxReplicaCount ?? kedaReplicasMax;
  if (least > most) {
    add(
      ['keda', 'minReplicaCount'],
      [['keda', 'maxReplicaCount']],
      `(${least}) must not be above maxReplicaCount (${most})`,
    );
  }
  if (keda.idleReplicaCount !== undefined && keda.idleReplicaCount >= least) {
    add(
      ['keda', 'idleReplicaCount'],
      [['keda', 'minReplicaCount']],
      `(${keda.idleReplicaCount}) must be below minReplicaCount (${least}); remove it to scale to minReplicaCount`,
    );
  }
}

/** KEDA's default of maxReplicaCount. */
const kedaReplicasMax = 100;
