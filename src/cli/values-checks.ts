// Checks of a values file beyond its schema, and notes about keys without effect.
import { counted } from '../core/base/index.ts';
import { engineFaults, type Target, type VainKey, vainKeys } from '../core/layout/index.ts';
import {
  checkModels,
  type EngineKind,
  engineKind,
  type ModelEntry,
  type Problem,
  pathText,
  placeAt,
  type ResolvedValues,
  toPlain,
  type Values,
} from '../core/values/index.ts';
import { loadCatalogue } from '../io/models/index.ts';
import type { LoadOptions } from '../io/values/index.ts';

interface ChecksOptions {
  readonly anyModel?: boolean;
  readonly onHosts?: boolean;
}

/**
 * Returns checks for unknown GPUs and models, for settings with which vLLM would not start, and for keys that the chart needs if the
 * values are for it.
 *
 * @param options `anyModel`: the values are only shown or edited, so that models may be unknown. @default false
 * `onHosts`: engines run on other machines, so paths of models are not checked. @default false
 */
export async function valuesChecks(
  target: Target = 'up',
  { anyModel = false, onHosts = target === 'kubernetes' }: ChecksOptions = {},
): Promise<Pick<LoadOptions, 'catalogue' | 'checks'>> {
  const catalogue = await loadCatalogue();
  // Loaded only here, since every start reads values.
  const { chartFaults } =
    target === 'kubernetes' ? await import('../core/deploy/index.ts') : { chartFaults: () => [] };
  const kindOf = target === 'up' ? engineKind : kindInChart;
  const isEmulated = (entry: ModelEntry): boolean =>
    kindOf(entry) === 'embedded' && !(onHosts && /^[./~]/.test(entry.modelURL ?? ''));
  const check = (values: Values) => [
    ...[
      ...engineFaults(
        values,
        (name, { standIn }) =>
          catalogue.findEngineModel(name, '', {
            always: standIn,
            unknown: values.spillway.standIn,
          }),
        engineKind,
      ),
      ...chartFaults(values, kindInChart),
    ].map((fault) => ({ ...fault, others: [] })),
    ...(anyModel ? [] : checkModels(values, catalogue, isEmulated)),
  ];
  return { catalogue, checks: [check] };
}

/** Returns the keys without effect in a target, one sentence each, from top to bottom. */
export function keysWithoutEffect(
  { values, written }: ResolvedValues,
  target: Target,
): readonly Problem[] {
  const kindOf = target === 'up' ? engineKind : kindInChart;
  const where = target === 'up' ? 'under "spillway up"' : 'on Kubernetes';
  return vainKeys(values, toPlain(written), kindOf, target).map(({ path, reason }) => ({
    place: placeAt(written, path, 'key'),
    sentence: isArgument(path)
      ? `${pathText(path)}: ${reason}`
      : `${pathText(path)} has no effect ${where}: ${reason}`,
  }));
}

/** As in the chart, which runs vLLM where `spillway up` runs an embedded engine. */
function kindInChart({ kind, urls }: ModelEntry): EngineKind {
  return kind ?? (urls === undefined ? 'vllm' : 'url');
}

/**
 * Returns the notes of `spillway up` before it starts: each key that would have an effect in a real
 * deployment, and the number of the others.
 */
export function upNotes({ values, written }: ResolvedValues): readonly string[] {
  const vain = vainKeys(values, toPlain(written), engineKind);
  const missing = vain.filter(({ kind }) => kind === 'missing');
  const rest = vain.length - missing.length;
  return [
    ...missing.map(({ path, reason }) =>
      isArgument(path)
        ? `${pathText(path)}: ${reason}.`
        : `${pathText(path)} has no effect here: ${reason}.`,
    ),
    ...(rest === 0
      ? []
      : [
          `${counted(rest, 'key has', 'keys have')} no effect here; "spillway config validate" gives the reasons.`,
        ]),
  ];
}

/** Whether the key is extraArgs, whose flags are named in the reason. */
function isArgument(path: VainKey['path']): boolean {
  return path.at(-1) === 'extraArgs' && path.at(-2) === 'vllmConfig';
}
