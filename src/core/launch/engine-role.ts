// What the engines of an entry do where prefill is disaggregated.
import { InputError } from '../base/index.ts';
import { lmcacheRoles, readEntry } from '../layout/index.ts';
import { type EngineRole, isDisaggregated } from '../routing/index.ts';
import type { ModelEntry, Values } from '../values/index.ts';

const labelFlags = { prefill: '--prefill-model-labels', decode: '--decode-model-labels' } as const;

/**
 * The role that the router's labels give the engines of an entry, as upstream's; otherwise the one in their own settings.
 *
 * @throws {InputError} If nothing says it.
 */
export function engineRole(
  entry: ModelEntry,
  { extraArgs }: Pick<Values['routerSpec'], 'extraArgs'>,
): EngineRole {
  const labels = [entry.name, entry.labels?.['model'], entry.podLabels?.['model']];
  for (const role of ['prefill', 'decode'] as const) {
    const named = labelsAfter(extraArgs, labelFlags[role]);
    if (labels.some((label) => label !== undefined && named.includes(label))) return role;
  }
  const { kvRole, nixlRole } = lmcacheRoles(entry);
  const role = kvRole ?? readEntry(entry).settings.kvTransferConfig?.kv_role;
  if (role === 'kv_producer' || (role !== 'kv_consumer' && nixlRole === 'sender')) return 'prefill';
  if (role === 'kv_consumer' || nixlRole === 'receiver') return 'decode';
  throw new InputError(
    `servingEngineSpec.modelSpec "${entry.name}" does not say whether it prefills or decodes: name it in routerSpec.extraArgs after --prefill-model-labels or --decode-model-labels, or give lmcacheConfig.kvRole kv_producer or kv_consumer.`,
  );
}

/** The role of each engine of the entry; undefined where engines do the whole of a request. */
export function roleIn(
  { routerSpec }: Pick<Values, 'routerSpec'>,
  entry: ModelEntry,
): EngineRole | undefined {
  if (!routerSpec.enableRouter || !isDisaggregated(routerSpec.routingLogic)) return undefined;
  return engineRole(entry, routerSpec);
}

/** The arguments without the labels, for a router whose engines are labelled with their roles. */
export function withoutLabels(extraArgs: readonly string[]): string[] {
  const flags: readonly string[] = Object.values(labelFlags);
  return extraArgs.filter((word, i) => {
    const isFlag = flags.some((flag) => word === flag || word.startsWith(`${flag}=`));
    return !isFlag && !flags.includes(extraArgs[i - 1] ?? '');
  });
}

/** Returns the labels in `--flag a,b` and `--flag=a,b`. */
function labelsAfter(args: readonly string[], flag: string): readonly string[] {
  const values = args.flatMap((word, i) => {
    if (args[i - 1] === flag) return [word];
    return word.startsWith(`${flag}=`) ? [word.slice(flag.length + 1)] : [];
  });
  return values.flatMap((value) => value.split(','));
}
