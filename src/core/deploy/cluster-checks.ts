// What a cluster must have before a stack is deployed there: rights, storage, GPUs and room.
import { counted } from '../base/index.ts';
import { textAt } from '../kubernetes/index.ts';
import { type Check, listed } from './check.ts';
import { freeResources, less, type NodeFacts, type PodRequests, type Resources } from './nodes.ts';
import type { WantedEngine } from './wanted-engines.ts';

/** Resource names of GPUs, by vendor. */
const gpuResource = /^(nvidia\.com|amd\.com|habana\.ai|gpu\.intel\.com)\//;
/** PCI vendors with GPUs, as node feature discovery labels them: NVIDIA, AMD. */
const gpuLabel =
  /^(feature\.node\.kubernetes\.io\/pci-.*(10de|1002).*present|nvidia\.com\/gpu\.present)$/;

export interface Right {
  /** Such as `create deployments.apps`. */
  readonly name: string;
  readonly isAllowed: boolean;
}

export function checkRights(rights: readonly Right[]): Check {
  const missing = rights.filter(({ isAllowed }) => !isAllowed).map(({ name }) => name);
  if (missing.length === 0) {
    const detail = `all ${rights.length} that deploy, status, smoke and teardown need`;
    return { name: 'rights', result: 'ok', detail, next: '' };
  }
  return {
    ...{ name: 'rights', result: 'failed', detail: `missing: ${listed(missing)}` },
    next: 'ask for a role such as "admin" in the namespace, or choose another context or namespace',
  };
}

/** @param classes Undefined if this user may not list them. */
export function checkStorage(
  classes: readonly unknown[] | undefined,
  engines: readonly WantedEngine[],
): Check {
  if (classes === undefined) return skipped('storage', 'this user may not list StorageClasses');
  const names = classes.map((one) => textAt(one, 'metadata', 'name'));
  const isDefault = (one: unknown) =>
    textAt(one, 'metadata', 'annotations', 'storageclass.kubernetes.io/is-default-class') ===
    'true';
  const byDefault = names[classes.findIndex(isDefault)];
  const there = `${names.length === 0 ? 'no StorageClass' : listed(names)}${byDefault === undefined ? ', none is the default' : `, default ${byDefault}`}`;
  const claiming = engines.filter(({ hasClaim }) => hasClaim);
  const unknown = claiming.find(
    ({ storageClass }) => storageClass && !names.includes(storageClass),
  );
  const next = 'set storageClass to one that the cluster has, or pvcStorage to {emptyDir: {}}';
  if (unknown !== undefined) {
    const detail = `${unknown.name} wants ${unknown.storageClass}; the cluster has ${there}`;
    return { name: 'storage', result: 'failed', detail, next };
  }
  const classless = claiming.find(({ storageClass }) => !storageClass);
  if (classless !== undefined && byDefault === undefined) {
    const detail = `${classless.name} wants the default StorageClass; the cluster has ${there}`;
    return { name: 'storage', result: 'failed', detail, next };
  }
  const lacks = byDefault === undefined;
  return {
    name: 'storage',
    result: lacks ? 'warning' : 'ok',
    detail: there,
    next: lacks ? next : '',
  };
}

/** Whether device plugins announce GPUs, and drivers are there, by what nodes say of themselves. */
export function checkGpus(
  nodes: readonly NodeFacts[] | undefined,
  engines: readonly WantedEngine[],
): Check {
  if (nodes === undefined) return skipped('gpu', 'this user may not list nodes');
  const announced = new Map<string, number>();
  for (const { allocatable } of nodes) {
    for (const [name, amount] of Object.entries(allocatable)) {
      if (gpuResource.test(name)) announced.set(name, (announced.get(name) ?? 0) + amount);
    }
  }
  const amountOf = (node: NodeFacts) =>
    Object.entries(node.allocatable).reduce(
      (total, [name, amount]) => total + (gpuResource.test(name) ? amount : 0),
      0,
    );
  const silent = nodes.filter(
    (node) =>
      Object.keys(node.labels).some((label) => gpuLabel.test(label)) && amountOf(node) === 0,
  );
  if (silent.length > 0) {
    return {
      ...{ name: 'gpu', result: 'failed' },
      detail: `GPUs that no device plugin announces: ${listed(silent.map(({ name }) => name))}`,
      next: 'install driver, container toolkit and device plugin there (the GPU operator does), and see the log of the device plugin',
    };
  }
  const found = [...announced].map(([name, amount]) => `${amount} ${name}`).join(', ');
  const wanted = new Set(
    engines.flatMap(({ requests }) =>
      Object.keys(requests).filter((name) => gpuResource.test(name)),
    ),
  );
  const missing = [...wanted].filter((name) => (announced.get(name) ?? 0) === 0);
  const next =
    'install the device plugin, or set kind: embedded or requestGPU: 0 for a stack without GPUs';
  if (missing.length > 0) {
    const detail = `no node has ${missing.join(', ')}${found === '' ? '' : `; they have ${found}`}`;
    return { name: 'gpu', result: 'failed', detail, next };
  }
  if (found !== '')
    return { name: 'gpu', result: 'ok', detail: `${found}${driversOf(nodes)}`, next: '' };
  return engines.length > 0
    ? { name: 'gpu', result: 'ok', detail: 'none, and the values want none', next: '' }
    : { name: 'gpu', result: 'warning', detail: 'no node has a GPU', next };
}

/** Versions of drivers, as GPU feature discovery labels them. */
function driversOf(nodes: readonly NodeFacts[]): string {
  const versions = nodes.flatMap(({ labels }) => {
    const full = labels['nvidia.com/cuda.driver-version.full'];
    const parts = ['major', 'minor', 'rev'].map((part) => labels[`nvidia.com/cuda.driver.${part}`]);
    return full ?? (parts.every(Boolean) ? parts.join('.') : []);
  });
  return versions.length === 0 ? '' : `, driver ${listed([...new Set(versions)].sort())}`;
}

/**
 * Whether the engines find room beside all pods that run, largest first, each on the first node with room. Labels, taints and
 * what an upgrade frees are not considered.
 */
export function checkRoom(
  nodes: readonly NodeFacts[] | undefined,
  pods: readonly PodRequests[] | undefined,
  engines: readonly WantedEngine[],
): Check {
  if (nodes === undefined || pods === undefined) {
    return skipped('room', 'this user may not list nodes and the pods of all namespaces');
  }
  const free = new Map(freeResources(nodes, pods));
  if (free.size === 0) {
    const next = 'add nodes, or see "kubectl describe node"';
    return { name: 'room', result: 'failed', detail: 'no node is ready', next };
  }
  const spare = (name: string) =>
    [...free.values()].reduce((total, rest) => total + (rest[name] ?? 0), 0);
  const there = `${spare('cpu').toFixed(1)} CPUs and ${(spare('memory') / 2 ** 30).toFixed(1)} GiB are free on ${counted(free.size, 'node')}`;
  const wanted = engines
    .flatMap(({ name, replicas, requests }) =>
      Array.from({ length: Math.min(replicas, replicasMax) }, () => ({ name, requests })),
    )
    .sort((one, other) => sizeOf(other.requests) - sizeOf(one.requests));
  const homeless = wanted.filter(({ requests }) => {
    const home = [...free].find(([, rest]) => isRoomFor(rest, requests));
    if (home !== undefined) free.set(home[0], less(home[1], requests));
    return home === undefined;
  });
  if (homeless.length === 0) {
    const fits = wanted.length === 0 ? '' : `; ${counted(wanted.length, 'engine')} fit`;
    return { name: 'room', result: 'ok', detail: there + fits, next: '' };
  }
  const names = [...new Set(homeless.map(({ name }) => name))];
  return {
    ...{ name: 'room', result: 'failed' },
    detail: `no room for ${homeless.length} of ${counted(wanted.length, 'engine')} (${listed(names)}); ${there}`,
    next: 'add nodes, or lower replicaCount, requestCPU, requestMemory or requestGPU',
  };
}

/** Replicas of an entry that are placed: beyond, a cluster of any size is full. */
const replicasMax = 10_000;

/** GPUs come first, as they are the scarcest. */
function sizeOf(requests: Resources): number {
  const gpus = Object.entries(requests).reduce(
    (total, [name, amount]) => total + (gpuResource.test(name) ? amount : 0),
    0,
  );
  return gpus * 2 ** 50 + (requests['memory'] ?? 0) + (requests['cpu'] ?? 0) * 2 ** 20;
}

function isRoomFor(rest: Resources, requests: Resources): boolean {
  return Object.entries(requests).every(([name, amount]) => amount <= (rest[name] ?? 0));
}

function skipped(name: Check['name'], detail: string): Check {
  return { name, result: 'skipped', detail, next: '' };
}
