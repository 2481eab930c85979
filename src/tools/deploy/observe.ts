// Reads the state of a release: its workloads, their pods, events, and the logs that explain those that are not ready.
import {
  type ComponentState,
  componentState,
  type EventFacts,
  isSelected,
  type PodFacts,
  readEvent,
  readPod,
  readWorkload,
  type StackState,
  stackState,
  wantedLog,
} from '../../core/deploy/index.ts';
import { at } from '../../core/kubernetes/index.ts';
import type { Cluster } from './cluster.ts';
import { Kinds } from './kinds.ts';
import { type Manifest, nameOf, workloadsOf } from './manifests.ts';

/** Lines of a log that are read. */
const logLines = 40;
/** Bytes of a log that are read. */
const logBytes = 32_768;
/** Pods whose logs are read at once: of a thousand that fail alike, a few tell why. */
const logsMax = 8;

export interface ObservedStack extends StackState {
  readonly pods: readonly PodFacts[];
  /** Pods of engines that are ready. */
  readonly readyEngines: readonly PodFacts[];
}

/** @param manifests Of the release. */
export async function observeStack(
  cluster: Cluster,
  namespace: string,
  manifests: readonly Manifest[],
): Promise<ObservedStack> {
  const kinds = new Kinds(cluster, namespace);
  const root = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
  const workloads = workloadsOf(manifests);
  const [objects, allPods, allEvents] = await Promise.all([
    Promise.all(workloads.map((one) => liveObject(cluster, kinds, one))),
    cluster.list(`${root}/pods`).then((list) => list.map(readPod)),
    cluster.list(`${root}/events`).then((list) => list.map(readEvent)),
  ]);
  const events = allEvents.toSorted((one, other) => (one.at < other.at ? -1 : 1));
  const found = objects.map(({ manifest, live }) => {
    const workload = readWorkload(live ?? { ...manifest, status: {} });
    const pods = allPods.filter(({ labels }) => isSelected(labels, workload.selector));
    return { manifest, live, workload, pods };
  });
  const logs = await readLogs(
    cluster,
    root,
    found.flatMap(({ pods }) => pods),
  );
  const components = found.map(({ manifest, live, workload, pods }): ComponentState => {
    const labels = manifest.metadata.labels ?? {};
    const state = componentState({ workload, labels, pods, events: about(events, pods), logs });
    if (live !== undefined) return state;
    const next = 'deploy again, or restore it with "helm rollback"';
    const reason = `${nameOf(manifest)} is missing`;
    return { ...state, health: 'failed', cause: 'none', reason, next };
  });
  const engines = found.filter((_, index) => components[index]?.role === 'engine');
  return {
    ...stackState(components),
    pods: found.flatMap(({ pods }) => pods),
    readyEngines: engines.flatMap(({ pods }) =>
      pods.filter(({ isReady, isTerminating }) => isReady && !isTerminating),
    ),
  };
}

async function liveObject(cluster: Cluster, kinds: Kinds, manifest: Manifest) {
  const path = await kinds.pathOf(manifest);
  const live = path === undefined ? undefined : await cluster.get(path);
  return { manifest, live: at(live, 'metadata', 'deletionTimestamp') == null ? live : undefined };
}

function about(events: readonly EventFacts[], pods: readonly PodFacts[]): readonly EventFacts[] {
  const names = new Set(pods.map(({ name }) => `Pod/${name}`));
  return events.filter((event) => names.has(event.about));
}

async function readLogs(
  cluster: Cluster,
  root: string,
  pods: readonly PodFacts[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const wanted = pods
    .flatMap((pod) => {
      const log = wantedLog(pod);
      return log === undefined ? [] : [{ pod: pod.name, ...log }];
    })
    .slice(0, logsMax);
  const read = wanted.map(async ({ pod, container, isPrevious }) => {
    const query = new URLSearchParams({
      ...{ container, tailLines: String(logLines), limitBytes: String(logBytes) },
      ...(isPrevious && { previous: 'true' }),
    });
    // A log that cannot be read is no reason to fail: its node may be gone.
    const text = await cluster
      .text(`${root}/pods/${encodeURIComponent(pod)}/log?${query}`)
      .catch(() => undefined);
    return [pod, (text ?? '').split('\n').filter((line) => line.trim() !== '')] as const;
  });
  return new Map(await Promise.all(read));
}
