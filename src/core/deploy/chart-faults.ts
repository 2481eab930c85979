// Finds keys without which the Helm chart renders nothing, before Helm says so without a place.
import { type EngineKind, type ModelEntry, pathText, type Values } from '../values/index.ts';

/** A key that is missing. */
export interface ChartFault {
  /** Keys and indexes from the top of the file. */
  readonly path: readonly (string | number)[];
  /** A sentence without its full stop. */
  readonly sentence: string;
}

/** Parts that others check: charts below this one, and objects that go to Kubernetes as they are. */
export const foreignKeys: ReadonlySet<string> = new Set([
  ...['kube-prometheus-stack', 'prometheus-adapter', 'global', 'extraObjects'],
]);

/** @param rest Of the sentence, behind the name of the key. */
export function valueFault(path: ChartFault['path'], rest: string): ChartFault {
  return { path, sentence: `${pathText(path)} ${rest}` };
}

/** Keys that the chart's templates require of an entry whose engines it runs as pods of vLLM. */
const required = {
  repository: 'the image of the engine, such as vllm/vllm-openai',
  tag: 'the version of the image, such as v0.32.0',
  requestCPU: 'CPUs per engine',
  requestMemory: 'host memory per engine, such as 16Gi',
} as const;

/** Returns a fault for each missing key; engines that are embedded or run elsewhere need none of them. */
export function chartFaults(
  values: Values,
  kindOf: (entry: ModelEntry) => EngineKind,
): readonly ChartFault[] {
  const { enableEngine, modelSpec } = values.servingEngineSpec;
  if (!enableEngine) return [];
  return modelSpec.flatMap((entry, index) => {
    if (!entry.enabled || kindOf(entry) !== 'vllm') return [];
    const given: Readonly<Record<keyof typeof required, unknown>> = {
      repository: entry.repository,
      tag: entry.digest ?? entry.tag,
      requestCPU: entry.resources ?? entry.requestCPU,
      requestMemory: entry.resources ?? entry.requestMemory,
    };
    const missing = Object.entries(required).flatMap(([key, meaning]) =>
      given[key as keyof typeof required]
        ? []
        : [
            {
              path: ['servingEngineSpec', 'modelSpec', index, key],
              sentence: `servingEngineSpec.modelSpec[${index}].${key} is missing, which the chart needs for vLLM: ${meaning}; for an emulated engine set kind: embedded`,
            },
          ],
    );
    return [...missing, ...headFaults(entry, index)];
  });
}

/** The head of a Ray cluster has requests of its own. */
function headFaults({ raySpec }: ModelEntry, index: number): ChartFault[] {
  if (!raySpec?.enabled) return [];
  const head = raySpec.headNode;
  if (head?.resources !== undefined) return [];
  return (['requestCPU', 'requestMemory'] as const).flatMap((key) => {
    if (head?.[key]) return [];
    const path = ['servingEngineSpec', 'modelSpec', index, 'raySpec', 'headNode', key];
    const meaning = required[key].replace('engine', 'head of the Ray cluster');
    return [valueFault(path, `is missing, which the chart needs for Ray: ${meaning}`)];
  });
}
