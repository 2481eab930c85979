// `spillway status`: the state of a stack in a cluster, a line per component, with next steps.
import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import type { NoClusterError } from '../../io/kubernetes/index.ts';
import { localStacks } from '../../io/local-stacks/index.ts';
import { observeStack, stackJson, statusLines } from '../../tools/deploy/index.ts';
import { localState, localStateJson, localStateLines } from '../cluster/local-status.ts';
import {
  addStackFlags,
  existingRelease,
  printJson,
  type StackFlags,
  withStack,
} from '../cluster/stack-flags.ts';
import { addHelpEnd } from '../help.ts';

export function statusCommand(): Command {
  const command = new Command('status')
    .description(
      'Show the state of a stack in a Kubernetes cluster: a line per component, with reason and next step. Without a kubeconfig: the stacks that "spillway up" runs on this machine.',
    )
    .action(status);
  return addHelpEnd(
    addStackFlags(command),
    'Exit status: 0 all components are ready, 1 a component is not ready, 2 bad input, no such release or no stack, 4 the cluster or a host cannot be reached.',
  );
}

async function status(flags: StackFlags): Promise<void> {
  if (flags.target === 'bare-metal') {
    const { statusOnHosts } = await import('../bare-metal/release-commands.ts');
    return statusOnHosts(flags);
  }
  await withStack(
    flags,
    async (stack) => {
      const release = await existingRelease(stack);
      const state = await observeStack(stack.cluster, stack.namespace, release.manifests);
      const { name, namespace, chart, revision, status } = release;
      if (flags.json) {
        printJson({ release: name, namespace, chart, revision, status, ...stackJson(state) });
      } else {
        process.stdout.write(
          `${name} in ${namespace}: ${chart}, revision ${revision}, ${status}\n${statusLines(state).join('\n')}\n${state.summary}\n`,
        );
      }
      process.exitCode = state.health === 'ready' ? 0 : 1;
    },
    (signal, noCluster) => statusHere(flags, signal, noCluster),
  );
}

/** The stacks that run on this machine. */
async function statusHere(
  flags: StackFlags,
  signal: AbortSignal,
  noCluster: NoClusterError,
): Promise<void> {
  const stacks = localStacks();
  if (stacks.length === 0) {
    throw new InputError(
      `${noCluster.message} No stack runs on this machine either; "spillway up" starts one.`,
      { cause: noCluster },
    );
  }
  const states = await Promise.all(stacks.map((stack) => localState(stack, signal)));
  if (flags.json) printJson({ stacks: states.map(localStateJson) });
  else process.stdout.write(`${states.flatMap(localStateLines).join('\n')}\n`);
  process.exitCode = states.every(({ isReady }) => isReady) ? 0 : 1;
}
