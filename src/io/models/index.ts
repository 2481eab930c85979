// Finds models and GPUs by name or file.

export { loadCatalogue } from './catalogue.ts';
export { readGpuSpec } from './gpu-spec.ts';
export { readEngineModel, readModelSpec, readStandIn } from './model-spec.ts';
