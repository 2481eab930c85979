// What is read of a stack in a cluster: the facts of workloads, pods and events that decide about states.
import { at, listAt, textAt } from '../kubernetes/index.ts';

/** A kind whose pods Kubernetes keeps running. */
export interface Workload {
  readonly kind: 'Deployment' | 'StatefulSet' | 'RayCluster';
  readonly name: string;
  /** Labels of its pods. */
  readonly selector: Readonly<Record<string, string>>;
  readonly wanted: number;
  readonly ready: number;
  /** Whether all wanted pods of the newest template are ready, and no others are left. */
  readonly isRolledOut: boolean;
  /** Why pods cannot be created, such as an exceeded quota; '' if they can. */
  readonly refusal: string;
}

export interface Ended {
  readonly reason: string;
  readonly message: string;
  readonly exitCode: number;
}

export interface ContainerFacts {
  readonly name: string;
  readonly image: string;
  readonly isInit: boolean;
  readonly isReady: boolean;
  /** Whether it passed its startup probe. */
  readonly isStarted: boolean;
  readonly isRunning: boolean;
  readonly restarts: number;
  readonly waiting: { readonly reason: string; readonly message: string } | undefined;
  /** How it ended: now, or before its last restart. */
  readonly ended: Ended | undefined;
}

export interface PodFacts {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly phase: string;
  /** Why it failed as a whole, such as `Evicted`. */
  readonly reason: string;
  readonly message: string;
  readonly ip: string;
  readonly node: string;
  readonly isReady: boolean;
  readonly isTerminating: boolean;
  /** What the scheduler says, until the pod has a node. */
  readonly unscheduled: string | undefined;
  readonly containers: readonly ContainerFacts[];
  readonly createdAt: string;
}

export interface EventFacts {
  /** Kind and name of the object that it is about. */
  readonly about: string;
  readonly isWarning: boolean;
  readonly reason: string;
  readonly message: string;
  /** As the API server writes it: sorts by time. */
  readonly at: string;
}

export function readWorkload(object: unknown): Workload {
  const kind = textAt(object, 'kind') as Workload['kind'];
  const name = textAt(object, 'metadata', 'name');
  const ready = numberAt(object, 'status', 'readyReplicas');
  if (kind === 'RayCluster') {
    const groups = listAt(object, 'spec', 'workerGroupSpecs');
    const workers = groups.reduce<number>((sum, group) => sum + numberAt(group, 'replicas'), 0);
    return {
      ...{ kind, name, selector: { 'ray.io/cluster': name }, wanted: workers + 1 },
      ready: numberAt(object, 'status', 'readyWorkerReplicas'),
      isRolledOut: textAt(object, 'status', 'state') === 'ready',
      refusal: '',
    };
  }
  // Kubernetes' default is 1.
  const wanted =
    at(object, 'spec', 'replicas') === undefined ? 1 : numberAt(object, 'spec', 'replicas');
  const isSeen =
    numberAt(object, 'status', 'observedGeneration') >= numberAt(object, 'metadata', 'generation');
  const updated = numberAt(object, 'status', 'updatedReplicas');
  const all = numberAt(object, 'status', 'replicas');
  return {
    ...{ kind, name, wanted, ready },
    selector: labelsAt(object, 'spec', 'selector', 'matchLabels'),
    // As "kubectl rollout status" decides.
    isRolledOut: isSeen && updated >= wanted && ready >= wanted && all <= updated,
    refusal: conditionMessage(object, 'ReplicaFailure', 'True') ?? '',
  };
}

export function readPod(pod: unknown): PodFacts {
  const statuses = (key: string, isInit: boolean) =>
    listAt(pod, 'status', key).map((status) => readContainer(status, isInit));
  return {
    name: textAt(pod, 'metadata', 'name'),
    labels: labelsAt(pod, 'metadata', 'labels'),
    phase: textAt(pod, 'status', 'phase'),
    reason: textAt(pod, 'status', 'reason'),
    message: textAt(pod, 'status', 'message'),
    ip: textAt(pod, 'status', 'podIP'),
    node: textAt(pod, 'spec', 'nodeName'),
    isReady: conditionMessage(pod, 'Ready', 'True') !== undefined,
    isTerminating: at(pod, 'metadata', 'deletionTimestamp') != null,
    unscheduled: conditionMessage(pod, 'PodScheduled', 'False'),
    containers: [
      ...statuses('initContainerStatuses', true),
      ...statuses('containerStatuses', false),
    ],
    createdAt: textAt(pod, 'metadata', 'creationTimestamp'),
  };
}

function readContainer(status: unknown, isInit: boolean): ContainerFacts {
  const waiting = at(status, 'state', 'waiting');
  const ended = at(status, 'state', 'terminated') ?? at(status, 'lastState', 'terminated');
  return {
    name: textAt(status, 'name'),
    image: textAt(status, 'image'),
    isInit,
    isReady: at(status, 'ready') === true,
    isStarted: at(status, 'started') !== false,
    isRunning: at(status, 'state', 'running') !== undefined,
    restarts: numberAt(status, 'restartCount'),
    waiting: waiting && {
      reason: textAt(waiting, 'reason'),
      message: textAt(waiting, 'message'),
    },
    ended: ended && {
      reason: textAt(ended, 'reason'),
      message: textAt(ended, 'message'),
      exitCode: numberAt(ended, 'exitCode'),
    },
  } as ContainerFacts;
}

export function readEvent(event: unknown): EventFacts {
  return {
    about: `${textAt(event, 'involvedObject', 'kind')}/${textAt(event, 'involvedObject', 'name')}`,
    isWarning: textAt(event, 'type') === 'Warning',
    reason: textAt(event, 'reason'),
    message: textAt(event, 'message'),
    at:
      textAt(event, 'lastTimestamp') ||
      textAt(event, 'eventTime') ||
      textAt(event, 'metadata', 'creationTimestamp'),
  };
}

/** Whether the labels are those of the selector. An empty selector selects nothing. */
export function isSelected(
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>>,
): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

/** The message of a condition that has this status; undefined without one. */
function conditionMessage(object: unknown, type: string, status: string): string | undefined {
  const found = listAt(object, 'status', 'conditions').find(
    (condition) => textAt(condition, 'type') === type && textAt(condition, 'status') === status,
  );
  return found === undefined ? undefined : textAt(found, 'message');
}

function labelsAt(value: unknown, ...path: readonly string[]): Readonly<Record<string, string>> {
  const labels = at(value, ...path);
  return typeof labels === 'object' && labels !== null ? (labels as Record<string, string>) : {};
}

/** The number at a path; 0 if there is none. */
function numberAt(value: unknown, ...path: readonly string[]): number {
  const number = at(value, ...path);
  return typeof number === 'number' ? number : 0;
}
