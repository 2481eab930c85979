// Finds models and GPUs by name or file.

export { loadCatalogue } from './catalogue.ts';
export { readGpuSpec } from './gpu-spec.ts';
export { readModelSpec } from './model-spec.ts';
