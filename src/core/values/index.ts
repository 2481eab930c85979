// The values file: schema, defaults, presets, merging and checks. Pure: texts in, values out.
export {
  argumentOf,
  type Catalogue,
  checkModels,
  gpuText,
  type ModelCatalogue,
  withStandIns,
} from './catalogue.ts';
export { valuesJsonSchema } from './json-schema.ts';
export { parseValues } from './parse.ts';
export { policyParametersOf } from './policy-keys.ts';
export { defaultPreset, findPreset, type Preset, presets } from './presets.ts';
export { groupedLines, type Problem, problemLines, ValuesError } from './problem.ts';
export { quantityValue } from './quantity.ts';
export {
  checkDocument,
  type DocumentOverride,
  type ReadDocument,
  readDocument,
} from './read-document.ts';
export { renderValues } from './render.ts';
export { type ResolvedValues, resolveValues, type ValuesInput } from './resolve.ts';
export {
  type EngineKind,
  engineCount,
  engineKind,
  type ModelEntry,
  type Values,
} from './schema.ts';
export {
  accepts,
  acceptsAnyText,
  allKeys,
  allowedText,
  type KnownKey,
  type SchemaNode,
  valuesRoot,
} from './schema-node.ts';
export {
  defaultThresholds,
  type GivenThresholds,
  type Thresholds,
  thresholdsSchema,
} from './schema-thresholds.ts';
export { applySet } from './set.ts';
export { subchartValues } from './subchart-values.ts';
export { fromPlain, type Path, pathText, placeAt, type Tree, toPlain } from './tree.ts';
export { type Check, writtenValues } from './validate.ts';
export { type MenuEntry, type ValueChange, ValuesEditor } from './values-editor.ts';
export { helmYaml, pythonYaml } from './yaml-dialect.ts';
