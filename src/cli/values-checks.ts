// Checks of a values file beyond its schema, and notes about keys without effect.
import { counted, InputError } from '../core/base/index.ts';
import {
  type EngineFault,
  engineFaults,
  refusedArguments,
  type Target,
  unknownFlagReason,
  type VainKey,
  vainKeys,
} from '../core/layout/index.ts';
import {
  checkModels,
  type EngineKind,
  engineKind,
  type ModelEntry,
  type Problem,
  pathText,
  placeAt,
  type ResolvedValues,
  type Values,
  writtenValues,
} from '../core/values/index.ts';
import { loadCatalogue } from '../io/models/index.ts';
import type { LoadOptions } from '../io/values/index.ts';
import { type CheckTarget, routerNotes } from './router-arguments.ts';

function faultsBy(catalogue: Awaited<ReturnType<typeof loadCatalogue>>) {
  return (values: Values): readonly EngineFault[] =>
    engineFaults(
      values,
      (name, { standIn }) =>
        catalogue.findEngineModel(name, '', { always: standIn, unknown: values.spillway.standIn }),
      engineKind,
    );
}

/**
 * Whether vLLM in a pod decides: the model's files, which its image reads, may allow a longer context than the catalogue has, and its
 * LMCache speaks to other stores.
 */
function isForImage({ isByContext, isEmulated, path }: EngineFault, values: Values): boolean {
  if (isByContext !== true && isEmulated !== true) return false;
  const { modelSpec } = values.servingEngineSpec;
  const entries = path[1] === 'modelSpec' ? [modelSpec[Number(path[2])]] : modelSpec;
  return entries.some((entry) => entry !== undefined && kindInChart(entry) === 'vllm');
}

/** Emulated engines that would not start here; vLLM on Kubernetes may have more memory, and other files. */
async function startNotes({ values, written }: ResolvedValues): Promise<readonly Problem[]> {
  const { startFaults } = await import('./start-faults.ts');
  const catalogue = await loadCatalogue();
  const isEmulated = (entry: ModelEntry): boolean => engineKind(entry) === 'embedded';
  return beside(faultsBy(catalogue)(values), startFaults(values, catalogue, isEmulated)).map(
    ({ path, sentence }) => ({
      place: placeAt(written, path),
      sentence: `${sentence}; "spillway up" does not start with it`,
    }),
  );
}

/** The faults of entries that have no other. */
function beside<T extends Pick<EngineFault, 'path'>>(
  others: readonly EngineFault[],
  faults: readonly T[],
): readonly T[] {
  const entries = new Set(others.map(({ path }) => path[2]));
  return faults.filter(({ path }) => !entries.has(path[2]));
}

/** Faults that are none of the values for Kubernetes, but that the image's vLLM will have unless its model says otherwise. */
export async function imageNotes({ values, written }: ResolvedValues): Promise<readonly Problem[]> {
  return faultsBy(await loadCatalogue())(values)
    .filter((fault) => isForImage(fault, values))
    .map(({ path, sentence, isByContext }) => ({
      place: placeAt(written, path),
      sentence: `${sentence}; "spillway up" does not start with it${
        isByContext ? ", nor does vLLM unless the model's own files allow more" : ''
      }`,
    }));
}

interface ChecksOptions {
  readonly anyModel?: boolean;
  readonly onHosts?: boolean;
  readonly release?: string | undefined;
}

/**
 * Returns checks for unknown GPUs and models, for settings with which vLLM would not start, and, if the values are also for the chart,
 * for what Kubernetes would refuse; for the chart alone, for keys that it needs, too.
 *
 * @param options `anyModel`: the values are only shown or edited, so that models may be unknown. @default false
 * `onHosts`: engines run on other machines, so paths of models are not checked. @default false
 * `release`: name of the Helm release, with which names of objects begin. @default vllm
 */
export async function valuesChecks(
  target: CheckTarget = 'up',
  { anyModel = false, onHosts = target === 'kubernetes', release }: ChecksOptions = {},
): Promise<Pick<LoadOptions, 'catalogue' | 'checks'>> {
  const catalogue = await loadCatalogue();
  // Loaded only here, since every start reads values.
  const deploy = target === 'up' ? undefined : await import('../core/deploy/index.ts');
  const kindOf = target === 'kubernetes' ? kindInChart : engineKind;
  const faultsOf = faultsBy(catalogue);
  const isEmulated = (entry: ModelEntry): boolean =>
    kindOf(entry) === 'embedded' && !(onHosts && /^[./~]/.test(entry.modelURL ?? ''));
  const { startFaults } = await import('./start-faults.ts');
  const check = (values: Values) => [
    ...(target === 'up' && !anyModel
      ? beside(faultsOf(values), startFaults(values, catalogue, isEmulated))
      : []
    ).map((fault) => ({ ...fault, others: [] })),
    ...[
      ...faultsOf(values).filter((fault) => target === 'up' || !isForImage(fault, values)),
      ...[
        ...(deploy?.nameFaults(values, kindInChart, release) ?? []),
        ...(target === 'up' ? [] : embeddedFaults(values)),
      ].map((fault) =>
        target === 'both'
          ? {
              ...fault,
              sentence: `${fault.sentence}; "--for up" allows it for "spillway up" alone`,
            }
          : fault,
      ),
      ...(target === 'kubernetes' ? (deploy?.chartFaults(values, kindInChart) ?? []) : []),
    ].map((fault) => ({ ...fault, others: [] })),
    ...(anyModel ? [] : checkModels(values, catalogue, isEmulated)),
  ];
  return { catalogue, checks: [check] };
}

function refusal(word: string): string {
  if (!word.startsWith('-')) return `"${word}" belongs to no flag; remove it`;
  return unknownFlagReason(word)
    .replace('; check its spelling', '; remove it')
    .replace(/; did you mean (.*)\?$/, '; write $1 if you mean that');
}

/** @throws {InputError} If the chart cannot be installed under the name. */
export async function checkRelease({ values }: ResolvedValues, release: string): Promise<void> {
  const { releaseFault } = await import('../core/deploy/index.ts');
  const fault = releaseFault(values, release);
  if (fault !== undefined) throw new InputError(fault);
}

/** Arguments that an embedded engine in a pod refuses; "spillway up" leaves them out. */
function embeddedFaults(values: Values) {
  return values.servingEngineSpec.modelSpec.flatMap((entry, index) => {
    if (!entry.enabled || kindInChart(entry) !== 'embedded') return [];
    const path = ['servingEngineSpec', 'modelSpec', index, 'vllmConfig', 'extraArgs'];
    return refusedArguments(entry).map((word) => ({
      path,
      sentence: `${pathText(path)}: ${refusal(word)}, so the embedded engine would not start in its pod`,
    }));
  });
}

/** Returns the keys and the router's arguments without effect in a target, and what an image decides, one sentence each. */
export async function notesFor(read: ResolvedValues, target: Target): Promise<readonly Problem[]> {
  const notes = [...keysWithoutEffect(read, target), ...(await routerNotes(read, target))];
  return target === 'up' ? notes : [...notes, ...(await imageNotes(read))];
}

/** Returns the keys without effect in a target, one sentence each, from top to bottom. */
function keysWithoutEffect(
  { values, written }: ResolvedValues,
  target: Target,
): readonly Problem[] {
  const kindOf = target === 'up' ? engineKind : kindInChart;
  const where = target === 'up' ? 'under "spillway up"' : 'on Kubernetes';
  return vainKeys(values, writtenValues(written), kindOf, target).map(({ path, reason }) => ({
    place: placeAt(written, path, 'key'),
    sentence: isArgument(path)
      ? `${pathText(path)}: ${reason}`
      : `${pathText(path)} has no effect ${where}: ${reason}`,
  }));
}

/** Returns the arguments of engines on Kubernetes that vLLM would not understand, one sentence each. */
export function unclearArguments({ values, written }: ResolvedValues): readonly Problem[] {
  return vainKeys(values, writtenValues(written), kindInChart, 'kubernetes')
    .filter(({ isUnclear }) => isUnclear)
    .map(({ path, reason }) => ({
      place: placeAt(written, path, 'key'),
      sentence: `${pathText(path)}: ${reason}`,
    }));
}

/** As in the chart, which runs vLLM where `spillway up` runs an embedded engine. */
function kindInChart({ kind, urls }: ModelEntry): EngineKind {
  return kind ?? (urls === undefined ? 'vllm' : 'url');
}

/** Maximum number of keys that a line about several names. */
const keysShownMax = 6;

/**
 * Returns what is worth knowing for both targets: arguments that vLLM would not understand, keys that matter in one target only, in one
 * line for each, and what runs where an entry does not say.
 */
export async function notesForBoth(read: ResolvedValues): Promise<{
  readonly problems: readonly Problem[];
  readonly lines: readonly string[];
}> {
  const { values, written } = read;
  const plain = writtenValues(written);
  const up = vainKeys(values, plain, engineKind);
  const pods = vainKeys(values, plain, kindInChart, 'kubernetes');
  const inPods = up.filter((key) => isForPods(key));
  const rest = up.filter((key) => key.kind === 'none' && !isForPods(key));
  // Of the same arguments of an entry without a kind, those notes that know the image.
  const shown = [
    ...pods.filter(({ isUnclear }) => isUnclear),
    ...up.filter(({ kind, isUnclear }) => kind === 'missing' && !isUnclear),
  ];
  const problems = groupsOf(shown)
    .map(({ first, text, several }) => ({
      place: placeAt(written, first.path, 'key'),
      sentence: isArgument(first.path)
        ? `${pathText(first.path)}: ${first.reason}`
        : `${text} ${several ? 'have' : 'has'} no effect under "spillway up": ${first.reason}`,
    }))
    .toSorted(({ place: a }, { place: b }) =>
      a.source === b.source ? (a.line ?? 0) - (b.line ?? 0) : 0,
    );
  const { chartFaults } = await import('../core/deploy/index.ts');
  const needed = chartFaults(values, kindInChart);
  const undecided = values.servingEngineSpec.modelSpec.filter(
    (entry) => entry.enabled && engineKind(entry) !== kindInChart(entry),
  );
  return {
    problems: [
      ...problems,
      ...(await routerNotes(read, 'both')),
      ...(await imageNotes(read)),
      ...(await startNotes(read)),
    ],
    lines: [
      ...(undecided.length === 0
        ? []
        : [
            `${counted(undecided.length, 'entry', 'entries')} of modelSpec without kind: emulated under "spillway up", vLLM on Kubernetes; kind: embedded or kind: vllm makes both alike.`,
          ]),
      ...countLine(
        inPods,
        'is for Kubernetes',
        'are for Kubernetes',
        ', without effect under "spillway up"',
      ),
      ...countLine(
        rest,
        'has no effect under "spillway up"',
        'have no effect under "spillway up"',
        '; "--for up" gives the reasons',
      ),
      ...countLine(
        pods.filter(({ isUnclear }) => !isUnclear),
        'has no effect on Kubernetes',
        'have no effect on Kubernetes',
        '; "--for kubernetes" gives the reasons',
      ),
      ...countLine(
        needed,
        'is missing for Kubernetes',
        'are missing for Kubernetes',
        ', where the chart needs each for vLLM; "--for kubernetes" says what each is',
      ),
    ],
  };
}

function isForPods({ kind, reason }: VainKey): boolean {
  return kind === 'none' && reason === 'it is for Kubernetes';
}

/** Returns one line for several keys: their number, and the names of the first. */
function countLine(
  keys: readonly { readonly path: VainKey['path']; readonly reason?: string }[],
  one: string,
  several: string,
  end: string,
): readonly string[] {
  if (keys.length === 0) return [];
  const names = [
    ...new Set(
      keys.flatMap(({ path, reason = '' }) =>
        isArgument(path) ? (/^.*?(?= ha(?:s|ve) )/.exec(reason)?.[0] ?? 'extraArgs') : path.at(-1),
      ),
    ),
  ];
  const shown = names.slice(0, keysShownMax).join(', ');
  const more = names.length > keysShownMax ? ', …' : '';
  return [
    `${counted(keys.length, 'key')} ${keys.length === 1 ? one : several} (${shown}${more})${end}.`,
  ];
}

/**
 * Returns the notes of `spillway up` before it starts: each key that would have an effect in a real
 * deployment, and the number of the others.
 */
export function upNotes({ values, written }: ResolvedValues): readonly string[] {
  const vain = vainKeys(values, writtenValues(written), engineKind);
  const missing = vain.filter(({ kind }) => kind === 'missing');
  const rest = vain.length - missing.length;
  return [
    ...groupsOf(missing).map(({ first, text, several }) =>
      isArgument(first.path)
        ? `${pathText(first.path)}: ${ended(first.reason)}`
        : `${text} ${several ? 'have' : 'has'} no effect here: ${ended(first.reason)}`,
    ),
    ...(rest === 0
      ? []
      : [
          `${counted(rest, 'key has', 'keys have')} no effect here; "spillway config validate" gives the reasons.`,
        ]),
  ];
}

/** Returns keys side by side in the file that have no effect for one reason together, with their names as one text. */
function groupsOf(keys: readonly VainKey[]): readonly {
  readonly first: VainKey;
  readonly text: string;
  readonly several: boolean;
}[] {
  const alike = Map.groupBy(keys, ({ path, reason, kind }) =>
    // The reason of an argument has its name.
    JSON.stringify([path.slice(0, isArgument(path) ? undefined : -1), reason, kind]),
  );
  return [...alike.values()].flatMap((group) => {
    const [first, ...others] = group;
    if (first === undefined) return [];
    const names = [pathText(first.path), ...others.map(({ path }) => path.at(-1))];
    const more = names.length > keysShownMax ? `, … (${names.length} keys)` : '';
    return [
      {
        first,
        text: `${names.slice(0, keysShownMax).join(', ')}${more}`,
        several: names.length > 1,
      },
    ];
  });
}

/** A sentence with its full stop, unless it is a question. */
function ended(sentence: string): string {
  return sentence.endsWith('?') ? sentence : `${sentence}.`;
}

/** Whether the key is extraArgs, whose flags are named in the reason. */
function isArgument(path: VainKey['path']): boolean {
  return path.at(-1) === 'extraArgs' && path.at(-2) === 'vllmConfig';
}
