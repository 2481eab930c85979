// The values file: schema, defaults, presets, merging and checks. Pure: texts in, values out.
export { type Preset, presets } from './presets.ts';
export { type ResolvedValues, resolveValues, type ValuesInput } from './resolve.ts';
export { type EngineKind, engineKind, type ModelSpec, type Values } from './schema.ts';
export { routingLogics } from './schema-router.ts';
