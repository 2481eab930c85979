// Where a stack goes: each target that is a cluster says which context of the kubeconfig is meant. Bare metal is in tools/bare-metal.
import { InputError } from '../../core/base/index.ts';
import { type ContextAccess, kubeconfigAccess } from '../../io/kubernetes/index.ts';

export const targets = ['existing', 'minikube', 'kind', 'bare-metal'] as const;
export type Target = (typeof targets)[number];

export interface TargetOptions {
  readonly target: Target;
  /** @default what the target says */
  readonly context?: string | undefined;
}

/**
 * Opens the cluster of a target.
 *
 * @throws {InputError} If there is no such context, or the target is not supported.
 */
export async function openTarget({ target, context }: TargetOptions): Promise<ContextAccess> {
  if (target === 'bare-metal') {
    throw new InputError(
      '--target bare-metal: this command is for clusters; "spillway deploy --target bare-metal --dry-run" checks hosts.',
    );
  }
  return kubeconfigAccess((contexts, current) => {
    const wanted = context ?? contextOf(target, contexts, current);
    if (contexts.includes(wanted)) return wanted;
    const known = contexts.length === 0 ? 'no contexts' : contexts.join(', ');
    throw new InputError(
      context === undefined
        ? `The kubeconfig has no context of ${target}; ${starts[target] ?? 'name one with --context'}. It has: ${known}.`
        : `The kubeconfig has no context "${context}"; it has: ${known}.`,
    );
  });
}

const starts: Readonly<Partial<Record<Target, string>>> = {
  minikube: 'start it with "minikube start", or name one with --context',
  kind: 'create it with "kind create cluster", or name one with --context',
};

function contextOf(target: Target, contexts: readonly string[], current: string): string {
  // The current context if it is one of the target.
  const prefix = target === 'kind' ? 'kind-' : target;
  if (target === 'existing' || current.startsWith(prefix)) return current;
  return contexts.find((name) => name.startsWith(prefix)) ?? '';
}
