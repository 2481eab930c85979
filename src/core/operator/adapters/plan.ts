// From the adapters of a namespace, its pods and what each engine has loaded to what must be done. Pure and
// level-triggered: it does not know what happened, so a restarted pod, a lost event or a second run needs no case of its own.
import { specs } from '../resources.ts';
import { invalidStatus, statusChange } from '../status.ts';
import type { AdapterPod } from './adapter-pod.ts';
import { type AdapterState, adapterStatus, loadedBefore } from './adapter-status.ts';
import { type ActiveAdapter, claimsOf, isDeleting, nameOf } from './claims.ts';
import type {
  AdapterAction,
  AdapterCard,
  AdapterPlan,
  AdapterResource,
  AdaptersObserved,
  PodReport,
} from './contract.ts';
import { placeAdapters } from './placement.ts';

/** Upstream's, so that either operator can finish what the other one began. */
export const adapterFinalizer = 'loraadapter.production-stack.vllm.ai/finalizer';
/** An engine that does not respond delays the end of an adapter's resource for this long. */
const unloadSecondsMax = 300;

export function planAdapters(observed: AdaptersObserved): AdapterPlan {
  const { adapters, now } = observed;
  const plan = {
    actions: [] as AdapterAction[],
    statuses: [] as AdapterPlan['statuses'][number][],
  };
  const finalizers: AdapterPlan['finalizers'][number][] = [];
  const say = (adapter: AdapterResource, status: Readonly<Record<string, unknown>>) => {
    const change = statusChange(adapter, status, now);
    if (change !== undefined) plan.statuses.push({ adapter, status: change });
  };
  const { active, taken, invalid, unsafe } = claimsOf(observed);
  const chosen = placed(active, observed);
  const owned = (pod: AdapterPod, name: string) =>
    active.some(({ spec }) => spec.baseModel === pod.model && nameOf(spec) === name);

  for (const one of active) {
    const { adapter } = one;
    const own = adapter.metadata.finalizers ?? [];
    // What is loaded must also be unloaded.
    if (!own.includes(adapterFinalizer)) {
      finalizers.push({ adapter, finalizers: [...own, adapterFinalizer] });
      continue;
    }
    const names = new Set(chosen.get(adapter.metadata.name));
    const wanted = one.candidates.filter(({ name }) => names.has(name));
    plan.actions.push(...loads(one, wanted, observed), ...unloads(one, wanted, observed, owned));
    say(adapter, adapterStatus(stateOf(one, wanted, observed), now));
  }
  const refuse = (adapter: AdapterResource, reason: string, message: string) =>
    say(adapter, adapterStatus({ ...emptyState(adapter), problem: { reason, message } }, now));
  for (const { adapter, message } of taken) refuse(adapter, 'NameTaken', message);
  for (const { adapter, message } of unsafe) refuse(adapter, 'UnsafeSource', message);
  for (const { adapter, error } of invalid) {
    say(adapter, { ...invalidStatus(adapter, error, now), phase: 'Failed' });
  }
  for (const adapter of adapters.filter(isDeleting)) {
    const pending = ending(adapter, observed, owned);
    plan.actions.push(...pending.actions);
    const own = adapter.metadata.finalizers ?? [];
    if (!pending.isDone || !own.includes(adapterFinalizer)) continue;
    finalizers.push({ adapter, finalizers: own.filter((one) => one !== adapterFinalizer) });
  }
  return { ...plan, finalizers };
}

function placed(
  active: readonly ActiveAdapter[],
  { pods, reports }: AdaptersObserved,
): ReadonlyMap<string, readonly string[]> {
  const managed = new Set(active.map(({ spec }) => `${spec.baseModel} ${nameOf(spec)}`));
  const others = new Map<string, number>();
  for (const pod of pods) {
    const cards = cardsOf(reports.get(pod.uid)).filter(
      ({ name }) => !managed.has(`${pod.model} ${name}`),
    );
    if (cards.length > 0) others.set(pod.name, cards.length);
  }
  const placements = active.map(({ adapter, spec, candidates }) => {
    const { algorithm = 'default', replicas } = spec.loraAdapterDeploymentConfig ?? {};
    const holders = candidates.filter(({ uid, name }) => {
      const report = reports.get(uid);
      // An engine that does not say is taken to have what it had.
      if (report === undefined || 'failure' in report) {
        return loadedBefore(adapter).some(({ podAssignments }) => podAssignments.podName === name);
      }
      return report.adapters.some((card) => card.name === nameOf(spec));
    });
    return {
      ...{ key: adapter.metadata.name, algorithm, replicas },
      candidates: candidates.map(({ name }) => name),
      holders: new Set(holders.map(({ name }) => name)),
    };
  });
  return placeAdapters(placements, others);
}

function cardsOf(report: PodReport | undefined): readonly AdapterCard[] {
  return report !== undefined && 'adapters' in report ? report.adapters : [];
}

function loads(
  { adapter, spec, locations }: ActiveAdapter,
  wanted: readonly AdapterPod[],
  { reports }: AdaptersObserved,
): AdapterAction[] {
  const name = nameOf(spec);
  return wanted.flatMap((pod) => {
    const report = reports.get(pod.uid);
    const location = locations.get(pod.uid);
    const isReported = report !== undefined && 'adapters' in report;
    if (!isReported) return [];
    if (location === undefined || typeof location === 'string') return [];
    const card = report.adapters.find((one) => one.name === name);
    if (card?.path === location.path) return [];
    const action = { kind: 'load', isReplaced: card !== undefined, ...location } as const;
    return [{ ...action, key: loadKey(pod, name, location.path), adapter, pod, name }];
  });
}

function loadKey(pod: AdapterPod, name: string, path: string): string {
  return `load ${pod.uid} ${name} ${path}`;
}

function unloadAction(adapter: AdapterResource, pod: AdapterPod, name: string): AdapterAction {
  const key = `unload ${pod.uid} ${name}`;
  return {
    ...{ key, kind: 'unload', adapter, pod, name },
    ...{ path: '', isReplaced: false, download: undefined },
  };
}

/** Engines that have it and should not: those left over once all others have it, and those of a name or model before. */
function unloads(
  one: ActiveAdapter,
  wanted: readonly AdapterPod[],
  observed: AdaptersObserved,
  owned: (pod: AdapterPod, name: string) => boolean,
): AdapterAction[] {
  const { adapter, spec } = one;
  const isComplete = wanted.every((pod) => hasLoaded(one, pod, observed));
  const surplus = new Set(isComplete ? one.candidates : []);
  for (const pod of wanted) surplus.delete(pod);
  return observed.pods.flatMap((pod) => {
    const names = cardsOf(observed.reports.get(pod.uid)).map(({ name }) => name);
    const before = loadedBefore(adapter)
      .filter(({ podAssignments }) => podAssignments.podName === pod.name)
      .map(({ name }) => name)
      .filter((name) => !owned(pod, name));
    return names
      .filter((name) => (surplus.has(pod) && name === nameOf(spec)) || before.includes(name))
      .map((name) => unloadAction(adapter, pod, name));
  });
}

function hasLoaded(
  { spec, locations }: ActiveAdapter,
  pod: AdapterPod,
  { reports }: AdaptersObserved,
) {
  const location = locations.get(pod.uid);
  const card = cardsOf(reports.get(pod.uid)).find(({ name }) => name === nameOf(spec));
  return typeof location === 'object' && card?.path === location.path;
}

function stateOf(
  one: ActiveAdapter,
  wanted: readonly AdapterPod[],
  observed: AdaptersObserved,
): AdapterState {
  const { adapter, spec, locations } = one;
  const { pods, reports, attempts } = observed;
  const failures: AdapterState['failures'][number][] = [];
  for (const pod of wanted) {
    const location = locations.get(pod.uid);
    const report = reports.get(pod.uid);
    if (report !== undefined && 'failure' in report) {
      failures.push({ pod: pod.name, reason: 'EngineUnreachable', message: report.failure });
    } else if (typeof location === 'string') {
      failures.push({ pod: pod.name, reason: 'NoDownloader', message: location });
    } else if (location !== undefined && !hasLoaded(one, pod, observed)) {
      const attempt = attempts.get(loadKey(pod, nameOf(spec), location.path));
      if (attempt?.state === 'failed') failures.push({ pod: pod.name, ...attempt });
    }
  }
  return {
    ...{ adapter, failures, problem: undefined },
    name: nameOf(spec),
    model: spec.baseModel,
    replicas: spec.loraAdapterDeploymentConfig?.replicas,
    wantedEngines: wanted.length,
    currentEngines: wanted.filter((pod) => hasLoaded(one, pod, observed)).length,
    reported: pods.flatMap((pod) => {
      const report = reports.get(pod.uid);
      if (report === undefined || 'failure' in report) {
        return loadedBefore(adapter).filter(
          ({ podAssignments: { podName } }) => podName === pod.name,
        );
      }
      const mine = new Set([
        ...(pod.model === spec.baseModel ? [nameOf(spec)] : []),
        ...loadedBefore(adapter)
          .filter(({ podAssignments }) => podAssignments.podName === pod.name)
          .map(({ name }) => name),
      ]);
      return report.adapters
        .filter(({ name }) => mine.has(name))
        .map(({ name, path }) => ({
          ...{ name, path, status: 'Loaded' },
          podAssignments: { namespace: pod.namespace, podName: pod.name },
        }));
    }),
  };
}

function emptyState(adapter: AdapterResource): AdapterState {
  return {
    ...{ adapter, failures: [], problem: undefined, name: '', model: '', replicas: undefined },
    ...{ wantedEngines: 0, currentEngines: 0, reported: [] },
  };
}

/** The end of an adapter: unloaded from each engine that has it, before its resource goes. */
function ending(
  adapter: AdapterResource,
  { pods, reports, now }: AdaptersObserved,
  owned: (pod: AdapterPod, name: string) => boolean,
): { readonly actions: readonly AdapterAction[]; readonly isDone: boolean } {
  const parsed = specs.LoraAdapter.safeParse(adapter.spec);
  const own = (pod: AdapterPod): ReadonlySet<string> =>
    new Set([
      ...(parsed.success && parsed.data.baseModel === pod.model ? [nameOf(parsed.data)] : []),
      ...loadedBefore(adapter)
        .filter(({ podAssignments }) => podAssignments.podName === pod.name)
        .map(({ name }) => name),
    ]);
  const actions = pods.flatMap((pod) =>
    cardsOf(reports.get(pod.uid))
      .filter(({ name }) => own(pod).has(name) && !owned(pod, name))
      .map(({ name }) => unloadAction(adapter, pod, name)),
  );
  const isUnknown = pods.some((pod) => {
    const report = reports.get(pod.uid);
    const wasThere = loadedBefore(adapter).some(
      ({ podAssignments }) => podAssignments.podName === pod.name,
    );
    return wasThere && pod.url !== '' && (report === undefined || 'failure' in report);
  });
  const since = Date.parse(adapter.metadata.deletionTimestamp ?? now);
  const isOver = (Date.parse(now) - since) / 1000 >= unloadSecondsMax;
  return { actions, isDone: isOver || (actions.length === 0 && !isUnknown) };
}
