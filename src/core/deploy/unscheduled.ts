// Why the scheduler has no node for a pod, from its message, and what to do about it.

export interface Unscheduled {
  /** What is missing: `nvidia.com/gpu`, `a bound volume`; in the scheduler's order. */
  readonly missing: readonly string[];
  readonly next: string;
}

/** What a phrase of the scheduler says. The first one that has advice gives it. */
const phrases: readonly {
  readonly pattern: RegExp;
  readonly missing: (match: RegExpExecArray) => string;
  readonly next: string;
}[] = [
  {
    pattern: /Insufficient (?:nvidia\.com|amd\.com|habana\.ai|gpu\.intel\.com)\/\S+?(?=[.,;\s]|$)/g,
    missing: ([text]) => text.replace('Insufficient ', ''),
    next:
      'add nodes with free GPUs, or check that the device plugin runs; for a stack without GPUs, set ' +
      'kind: embedded or requestGPU: 0',
  },
  {
    pattern: /Insufficient (cpu|memory|ephemeral-storage|pods|hugepages-\S+)/g,
    missing: ([, resource = '']) => resource,
    next: 'add nodes, or lower requestCPU and requestMemory of the model',
  },
  {
    pattern: /pod has unbound immediate PersistentVolumeClaims/g,
    missing: () => 'a bound volume',
    next: 'set storageClass to one that the cluster has ("kubectl get storageclass"), or pvcStorage to {emptyDir: {}}',
  },
  {
    pattern: /persistentvolumeclaim "([^"]+)" (?:not found|is being deleted)/g,
    missing: ([, name]) => `claim ${name}`,
    next: 'wait for the old claim to be deleted, or check pvcExistingClaimName',
  },
  {
    pattern: /volume node affinity conflict/g,
    missing: () => "a node in the volume's zone",
    next: "add nodes in the volume's zone, or delete the claim",
  },
  {
    pattern: /didn't match Pod's node affinity\/selector|didn't satisfy .*?affinity[^,.]*/g,
    missing: () => 'a node with the wanted labels',
    next: 'check nodeSelectorTerms, affinity and nodeName against "kubectl get nodes --show-labels"',
  },
  {
    pattern: /didn't satisfy plugin\(s\) \[[^\]]*\]|didn't match pod topology spread constraints/g,
    missing: () => 'a node that the spread constraints allow',
    next: 'check topologySpreadConstraints and the labels of the nodes',
  },
  {
    pattern: /untolerated taint(?:\(s\))?(?: \{([^}]*?):? ?\})?/g,
    missing: ([, taint]) => (taint ? `a toleration of ${taint}` : 'a toleration of a taint'),
    next: 'add the toleration to servingEngineSpec.tolerations, or remove the taint',
  },
  {
    pattern: /were unschedulable/g,
    missing: () => 'a node that is not cordoned',
    next: 'uncordon the nodes',
  },
  {
    pattern: /didn't have free ports/g,
    missing: () => 'a node with the host port free',
    next: 'remove the host port, or add nodes',
  },
  {
    pattern: /no nodes available to schedule pods/g,
    missing: () => 'nodes',
    next: 'add nodes to the cluster',
  },
];

/** Reads messages such as `0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: …`. */
export function readUnscheduled(message: string): Unscheduled {
  // What preemption says repeats the reasons.
  const [reasons = ''] = message.split(/\bpreemption:/);
  const found = phrases
    .map(({ pattern, missing, next }) => ({
      matches: [...reasons.matchAll(pattern)].map((match) => missing(match as RegExpExecArray)),
      next,
    }))
    .filter(({ matches }) => matches.length > 0);
  return {
    missing: [...new Set(found.flatMap(({ matches }) => matches))],
    next: found[0]?.next ?? 'see "kubectl describe pod" for what the scheduler says',
  };
}
