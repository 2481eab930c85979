// A pod of a runtime, as far as rollouts and scaling are concerned: where its engine is, and why it does not serve.
import type { KubernetesObject } from './kubernetes-object.ts';
import { podUrl } from './pod-address.ts';
import { versionLabel } from './rollout/engine-version.ts';
import { watchedPod } from './watched-pod.ts';

export interface EnginePod {
  readonly name: string;
  readonly uid: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Value of the version's label. */
  readonly version: string;
  /** Of the engine, such as `http://10.0.0.7:8000`; '' until the pod has an address. */
  readonly url: string;
  readonly isReady: boolean;
  /** Whether it has a node, so that something can be known about its start. */
  readonly isScheduled: boolean;
  readonly isDeleting: boolean;
  /** Why it will not serve unless something changes; undefined if it serves or may still start. */
  readonly failure: string | undefined;
  /** What it waits for if it is not ready, in the words of Kubernetes. */
  readonly pending: string | undefined;
}

interface PodStatus {
  readonly phase?: string;
  readonly podIP?: string;
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly message?: string;
  }[];
  readonly containerStatuses?: readonly ContainerStatus[];
  readonly initContainerStatuses?: readonly ContainerStatus[];
}

interface ContainerStatus {
  readonly name: string;
  readonly restartCount?: number;
  readonly ready?: boolean;
  readonly state?: { readonly waiting?: Waiting; readonly terminated?: Terminated };
  readonly lastState?: { readonly terminated?: Terminated };
}

interface Waiting {
  readonly reason?: string;
  readonly message?: string;
}

interface Terminated {
  readonly reason?: string;
  readonly exitCode?: number;
  readonly message?: string;
}

/** A container that ended so often, and is not ready, ends again. One crash may be chance. */
const crashesMin = 2;
/** What the kubelet says of an image or a container that it cannot start, after it has tried. */
const startFailures = new Set([
  ...['ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull'],
  ...['CreateContainerConfigError', 'CreateContainerError'],
]);
/** Of the last lines of a log, and of a message. */
const linesMax = 3;
const charactersMax = 400;

/** The pod as it is kept while it is watched. */
export function enginePodObject(pod: KubernetesObject): KubernetesObject {
  return watchedPod(pod, pod.metadata.labels, readEnginePod(pod));
}

export function readEnginePod(pod: KubernetesObject): EnginePod {
  const { metadata } = pod;
  const status = (pod['status'] ?? {}) as PodStatus;
  const { nodeName = '' } = (pod['spec'] ?? {}) as { readonly nodeName?: string };
  const isReady = isTrue(status, 'Ready');
  const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    labels: metadata.labels ?? {},
    version: metadata.labels?.[versionLabel] ?? '',
    url: podUrl(pod),
    isReady,
    isScheduled: nodeName !== '',
    isDeleting: metadata.deletionTimestamp !== undefined,
    failure: isReady ? undefined : firstOf(containers, failureOf),
    pending: isReady ? undefined : pendingOf(status, containers),
  };
}

/**
 * Why a version does not serve: every pod of it that has a node fails, and none is ready. Pods without a node say nothing,
 * and while one is still starting it may serve.
 *
 * @returns Undefined if it serves, or may.
 */
export function failureOfVersion(pods: readonly EnginePod[], version: string): string | undefined {
  const started = pods.filter(
    (pod) => pod.version === version && pod.isScheduled && !pod.isDeleting,
  );
  const failed = started.filter(({ failure }) => failure !== undefined);
  const [first] = failed;
  return first !== undefined && failed.length === started.length
    ? `pod ${first.name}: ${first.failure}`
    : undefined;
}

/** What the pods of a version that are not ready wait for; '' if nothing is known. */
export function waitOfVersion(pods: readonly EnginePod[], version: string): string {
  const waiting = pods.find(
    (pod) => pod.version === version && !pod.isReady && !pod.isDeleting && pod.pending,
  );
  return waiting === undefined ? '' : `pod ${waiting.name}: ${waiting.failure ?? waiting.pending}`;
}

function failureOf({ name, ready, restartCount = 0, state, lastState }: ContainerStatus) {
  const { waiting } = state ?? {};
  if (waiting?.reason !== undefined && startFailures.has(waiting.reason)) {
    return `container ${name}: ${waiting.reason}${said(waiting.message)}`;
  }
  const isLooping = waiting?.reason === 'CrashLoopBackOff' || restartCount >= crashesMin;
  if (!isLooping || ready === true) return undefined;
  const ended = state?.terminated ?? lastState?.terminated;
  // An init container that was restarted and has ended well.
  if (ended?.exitCode === 0 && waiting === undefined) return undefined;
  const how =
    ended?.reason === 'OOMKilled'
      ? 'OOMKilled'
      : ended?.exitCode === undefined
        ? 'CrashLoopBackOff'
        : `exit status ${ended.exitCode}`;
  const times =
    restartCount > 0 ? ` after ${restartCount} restart${restartCount > 1 ? 's' : ''}` : '';
  return `container ${name} crashes (${how}${times})${said(ended?.message)}`;
}

function pendingOf(
  { conditions = [] }: PodStatus,
  containers: readonly ContainerStatus[],
): string | undefined {
  const unscheduled = conditions.find(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  );
  if (unscheduled !== undefined) return `no node${said(unscheduled.message)}`;
  return (
    firstOf(containers, ({ name, state }) =>
      state?.waiting === undefined
        ? undefined
        : `container ${name}: ${state.waiting.reason ?? 'waiting'}${said(state.waiting.message)}`,
    ) ?? 'it runs, and has not served a completion yet'
  );
}

function firstOf<T>(items: readonly T[], text: (item: T) => string | undefined) {
  for (const item of items) {
    const found = text(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isTrue({ conditions = [] }: PodStatus, type: string): boolean {
  return conditions.some((one) => one.type === type && one.status === 'True');
}

/** The last lines of a message, which for a crash are those of the log. */
function said(message: string | undefined): string {
  const lines = (message ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const text = lines.slice(-linesMax).join(' / ');
  return text === '' ? '' : `: ${text.slice(-charactersMax)}`;
}
