// The status of a LoraAdapter, with upstream's fields.
import type { Owner } from '../kubernetes-object.ts';
import { type Condition, withCondition } from '../status.ts';

/** An adapter on one engine. */
export interface LoadedAdapter {
  readonly name: string;
  readonly path: string;
  readonly status: string;
  readonly podAssignments: { readonly namespace: string; readonly podName: string };
  /** When it was first seen there; RFC 3339. */
  readonly loadTime?: string;
}

export interface AdapterState {
  readonly adapter: Owner & { readonly status?: unknown };
  readonly name: string;
  readonly model: string;
  readonly replicas: number | undefined;
  /** Engines that should have it, and those of them that have the current one. */
  readonly wantedEngines: number;
  readonly currentEngines: number;
  /** What engines report of it. */
  readonly reported: readonly LoadedAdapter[];
  readonly failures: readonly {
    readonly pod: string;
    readonly reason: string;
    readonly message: string;
  }[];
  /** Why nothing is done at all. */
  readonly problem: { readonly reason: string; readonly message: string } | undefined;
}

/** The proposal's words: production-stack's proposals/lora-k8s-support.md. */
type Phase = 'Pending' | 'Loading' | 'Ready' | 'Partial' | 'Failed';

interface Verdict {
  readonly phase: Phase;
  readonly reason: string;
  readonly message: string;
}

/** What the status of a resource says of where it is loaded. */
export function loadedBefore({ status }: { readonly status?: unknown }): readonly LoadedAdapter[] {
  const { loadedAdapters = [] } = (status ?? {}) as {
    readonly loadedAdapters?: readonly LoadedAdapter[];
  };
  return loadedAdapters;
}

export function adapterStatus(state: AdapterState, now: string): Readonly<Record<string, unknown>> {
  const { adapter, reported } = state;
  const { phase, reason, message } = verdictOf(state);
  const observedGeneration = adapter.metadata.generation ?? 0;
  const before = (adapter.status ?? {}) as { readonly conditions?: readonly Condition[] };
  const isReady = phase === 'Ready';
  const condition = { type: 'Ready', reason, message, observedGeneration };
  const ready = { ...condition, status: isReady ? 'True' : 'False' } as const;
  const loadedAdapters = reported.map((one) => {
    const known = loadedBefore(adapter).find(
      ({ name, path, podAssignments: { podName } }) =>
        name === one.name && path === one.path && podName === one.podAssignments.podName,
    );
    return { ...one, loadTime: known?.loadTime ?? now };
  });
  return {
    ...{ phase, message, loadedAdapters, observedGeneration },
    conditions: withCondition(before.conditions ?? [], ready, now),
  };
}

function verdictOf({
  problem,
  wantedEngines: wanted,
  currentEngines: current,
  failures,
  replicas,
  model,
}: AdapterState): Verdict {
  if (problem !== undefined) return { phase: 'Failed', ...problem };
  if (replicas === 0) return { phase: 'Ready', reason: 'ScaledToZero', message: 'replicas is 0.' };
  if (wanted === 0) {
    const message = `No pod with the label model=${model} is ready.`;
    return { phase: 'Pending', reason: 'NoReadyPods', message };
  }
  const loaded = `Loaded on ${current} of ${replicas ?? wanted} engines.`;
  const [first] = failures;
  if (first !== undefined) {
    const phase = current > 0 ? 'Partial' : 'Failed';
    return { phase, reason: first.reason, message: `${loaded} ${first.pod}: ${first.message}` };
  }
  if (current < wanted) return { phase: 'Loading', reason: 'Loading', message: loaded };
  if (replicas !== undefined && current < replicas) {
    return { phase: 'Partial', reason: 'TooFewEngines', message: loaded };
  }
  return { phase: 'Ready', reason: 'Loaded', message: loaded };
}
