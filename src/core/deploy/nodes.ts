// Nodes of a cluster and what is free on them.
import { at, listAt, textAt } from '../kubernetes/index.ts';
import { quantityValue } from '../values/index.ts';

/** Amounts by the name of the resource: CPUs, bytes, devices, pods. */
export type Resources = Readonly<Record<string, number>>;

export interface NodeFacts {
  readonly name: string;
  /** Whether it is ready and not cordoned. */
  readonly isUsable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: Resources;
}

export interface PodRequests {
  /** '' before it is scheduled. */
  readonly node: string;
  readonly requests: Resources;
}

export function readNode(node: unknown): NodeFacts {
  const isReady = listAt(node, 'status', 'conditions').some(
    (condition) => textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True',
  );
  return {
    name: textAt(node, 'metadata', 'name'),
    isUsable: isReady && at(node, 'spec', 'unschedulable') !== true,
    labels: (at(node, 'metadata', 'labels') ?? {}) as Readonly<Record<string, string>>,
    allocatable: resourcesAt(node, 'status', 'allocatable'),
  };
}

/** What the scheduler reserves for a pod: the sum of its containers, or its largest init container. */
export function readRequests(pod: unknown): PodRequests {
  const isOver = /^(Succeeded|Failed)$/.test(textAt(pod, 'status', 'phase'));
  const of = (key: string) =>
    listAt(pod, 'spec', key).map((container) => resourcesAt(container, 'resources', 'requests'));
  const running = of('containers').reduce<Resources>(sum, { pods: 1 });
  const requests = of('initContainers').reduce<Resources>(largest, running);
  const all = sum(requests, resourcesAt(pod, 'spec', 'overhead'));
  return { node: textAt(pod, 'spec', 'nodeName'), requests: isOver ? {} : all };
}

/** What is left of each usable node. */
export function freeResources(
  nodes: readonly NodeFacts[],
  pods: readonly PodRequests[],
): ReadonlyMap<string, Resources> {
  const free = new Map(
    nodes.filter(({ isUsable }) => isUsable).map(({ name, allocatable }) => [name, allocatable]),
  );
  for (const { node, requests } of pods) {
    const rest = free.get(node);
    if (rest !== undefined) free.set(node, less(rest, requests));
  }
  return free;
}

/** What is left of resources; those that are not there count as 0. */
export function less(from: Resources, requests: Resources): Resources {
  const left: Record<string, number> = { ...from };
  for (const [name, amount] of Object.entries(requests)) left[name] = (left[name] ?? 0) - amount;
  return left;
}

function sum(one: Resources, other: Resources): Resources {
  const total: Record<string, number> = { ...one };
  for (const [name, amount] of Object.entries(other)) total[name] = (total[name] ?? 0) + amount;
  return total;
}

function largest(one: Resources, other: Resources): Resources {
  const most: Record<string, number> = { ...one };
  for (const [name, amount] of Object.entries(other)) {
    most[name] = Math.max(most[name] ?? 0, amount);
  }
  return most;
}

function resourcesAt(value: unknown, ...path: readonly string[]): Resources {
  const found = Object.entries((at(value, ...path) ?? {}) as Readonly<Record<string, unknown>>);
  return Object.fromEntries(found.map(([name, amount]) => [name, quantityValue(amount) ?? 0]));
}

/** What a result says about a node. '' where the node does not say. */
export interface NodeSystem {
  readonly name: string;
  readonly kernel: string;
  readonly os: string;
  readonly architecture: string;
  /** Such as `containerd://2.1.4`. */
  readonly containerRuntime: string;
  readonly kubelet: string;
  /** From the labels of NVIDIA's GPU feature discovery. */
  readonly gpu: string;
  /** From the same labels. */
  readonly gpuDriver: string;
}

export function readNodeSystem(node: unknown): NodeSystem {
  const info = (field: string) => textAt(node, 'status', 'nodeInfo', field);
  const label = (name: string) => textAt(node, 'metadata', 'labels', name);
  return {
    name: textAt(node, 'metadata', 'name'),
    kernel: info('kernelVersion'),
    os: info('osImage'),
    architecture: info('architecture'),
    containerRuntime: info('containerRuntimeVersion'),
    kubelet: info('kubeletVersion'),
    gpu: label('nvidia.com/gpu.product'),
    gpuDriver: label('nvidia.com/cuda.driver-version.full'),
  };
}
