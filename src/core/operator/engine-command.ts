// The command of an engine's container. Its flags come from the table of settings, as those of the chart and of
// `spillway up` do, so that one setting means the same wherever the engine runs.
import { entryWords, podKvEvents } from '../layout/index.ts';
import type { ModelEntry } from '../values/index.ts';
import type { RuntimeSpec } from './resources.ts';

/** Where the chat template of a resource is in the container, as in pods of the chart. */
export const chatTemplateFolder = '/templates';
export const chatTemplateFile = 'chat_template.json';

export interface EngineCommand {
  readonly command: readonly string[];
  readonly args: readonly string[];
}

/** @param drainSeconds How long the embedded engine may finish its streams after SIGTERM. */
export function engineCommand(spec: RuntimeSpec, drainSeconds: number): EngineCommand {
  const { model, vllmConfig, deploymentConfig } = spec;
  const address = [model.modelURL, '--host', '0.0.0.0', '--port', String(vllmConfig.port)];
  const isEmbedded = spec.engineKind === 'embedded';
  const words = entryWords(entryOf(spec), isEmbedded ? 'engine' : 'chart', podKvEvents, 'resource');
  if (!isEmbedded) {
    return { command: vllmCommand(deploymentConfig.image.name), args: [...address, ...words] };
  }
  const drain = ['--shutdown-timeout', String(drainSeconds)];
  return { command: ['spillway', 'engine', '--model'], args: [...address, ...drain, ...words] };
}

/** LMCache's images have vLLM in a virtual environment that is not on the PATH. */
function vllmCommand(image: string): readonly string[] {
  return /(^|\/)lmcache\//.test(image) ? ['/opt/venv/bin/vllm', 'serve'] : ['vllm', 'serve'];
}

/** The resource as an entry of a values file. Upstream's operator takes a number of 0 for one that is not written. */
function entryOf({ engineKind, model, vllmConfig, lmCacheConfig }: RuntimeSpec): ModelEntry {
  const template =
    engineKind === 'embedded' ? `${chatTemplateFolder}/${chatTemplateFile}` : chatTemplateFile;
  const entry = {
    ...{ name: 'engine', kind: engineKind, enabled: true, replicaCount: 1 },
    modelURL: model.modelURL,
    enableLoRA: model.enableLoRA,
    enableTool: model.enableTool,
    toolCallParser: model.toolCallParser,
    chatTemplate: model.chatTemplate ? template : undefined,
    vllmConfig: {
      v0: vllmConfig.v1 === false ? 1 : undefined,
      enableChunkedPrefill: vllmConfig.enableChunkedPrefill,
      enablePrefixCaching: vllmConfig.enablePrefixCaching,
      maxModelLen: model.maxModelLen || undefined,
      dtype: model.dtype || undefined,
      tensorParallelSize: vllmConfig.tensorParallelSize || undefined,
      maxNumSeqs: model.maxNumSeqs || undefined,
      gpuMemoryUtilization: vllmConfig.gpuMemoryUtilization || undefined,
      maxLoras: vllmConfig.maxLoras || undefined,
      extraArgs: vllmConfig.extraArgs,
    },
    lmcacheConfig: lmCacheConfig?.enabled ? { enabled: true } : undefined,
  };
  return entry as ModelEntry;
}
