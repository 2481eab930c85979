// The state of a part of the stack: a router, the engines of a model, a cache server.
import type { EventFacts, PodFacts, Workload } from './observed.ts';
import { type Cause, type Health, type PodState, podState } from './pod-state.ts';

export type Role = 'router' | 'engine' | 'cache server' | 'other';

export interface ComponentState {
  readonly name: string;
  readonly role: Role;
  readonly wanted: number;
  readonly ready: number;
  readonly health: Health;
  readonly cause: Cause;
  /** One phrase; '' if everything is as wanted. */
  readonly reason: string;
  /** What to do; '' if nothing. */
  readonly next: string;
  /** Pods that are not ready, those that need help first. */
  readonly pods: readonly PodState[];
}

export interface ObservedComponent {
  readonly workload: Workload;
  /** Labels of the workload, by which its role is known. */
  readonly labels: Readonly<Record<string, string>>;
  readonly pods: readonly PodFacts[];
  /** About the workload's pods, oldest first. */
  readonly events: readonly EventFacts[];
  /** Last lines of each pod's log, as `wantedLog` asks. */
  readonly logs: ReadonlyMap<string, readonly string[]>;
}

type Labelled = Pick<ObservedComponent, 'workload' | 'labels'>;

const worstFirst: readonly Health[] = ['failed', 'waiting', 'starting', 'stopping', 'ready'];

export function componentState(observed: ObservedComponent): ComponentState {
  const { workload, pods, events, logs } = observed;
  const states = pods
    .map((pod) =>
      podState(
        pod,
        events.filter(({ about }) => about === `Pod/${pod.name}`),
        logs.get(pod.name),
      ),
    )
    .filter(({ health }) => health !== 'ready')
    .sort((one, other) => worstFirst.indexOf(one.health) - worstFirst.indexOf(other.health));
  const common = {
    ...{ name: componentName(observed), role: roleOf(observed), wanted: workload.wanted },
    ready:
      workload.kind === 'RayCluster'
        ? pods.filter(({ isReady }) => isReady).length
        : workload.ready,
    pods: states,
  };
  if (workload.isRolledOut) {
    return { ...common, health: 'ready', cause: 'none', reason: '', next: '' };
  }
  if (workload.refusal !== '') {
    const next = /quota/.test(workload.refusal)
      ? "raise the namespace's quota, or lower the requests"
      : 'correct what the sentence names';
    return { ...common, health: 'failed', cause: 'quota', reason: workload.refusal, next };
  }
  const worst = states.find(({ health }) => health !== 'stopping') ?? states[0];
  if (worst === undefined) {
    const reason = workload.ready < workload.wanted ? 'waiting for its pods' : 'rolling out';
    return { ...common, health: 'starting', cause: 'none', reason, next: '' };
  }
  const { health, cause, reason, next } = worst;
  return { ...common, health: health === 'stopping' ? 'starting' : health, cause, reason, next };
}

function roleOf({ labels, workload }: Labelled): Role {
  const component = labels['app.kubernetes.io/component'] ?? '';
  if (component === 'serving-engine' || workload.kind === 'RayCluster') return 'engine';
  if (component === 'router' || labels['environment'] === 'router') return 'router';
  if (component === 'cache-server') return 'cache server';
  // Charts before 0.1.3 have no such labels.
  if (/-deployment-router$/.test(workload.name)) return 'router';
  if (/-deployment-vllm$/.test(workload.name)) return 'engine';
  if (/-deployment-cache-server$/.test(workload.name)) return 'cache server';
  return 'other';
}

/** Such as `router`, or `engine llama` with the model's name of the values. */
export function componentName(observed: Labelled): string {
  const { labels, workload } = observed;
  const role = roleOf(observed);
  if (role === 'other') return workload.name;
  return role === 'engine' ? `engine ${labels['model'] ?? workload.name}` : role;
}
