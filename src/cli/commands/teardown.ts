// `spillway teardown`: removes a stack from a cluster.
import { Command } from 'commander';
import { teardown } from '../../tools/deploy/index.ts';
import { duration } from '../arguments/quantities.ts';
import {
  addStackFlags,
  printJson,
  progressOf,
  type StackFlags,
  withStack,
} from '../cluster/stack-flags.ts';
import { addHelpEnd } from '../help.ts';

interface Flags extends StackFlags {
  readonly pvcs?: true;
  readonly deleteNamespace?: true;
  readonly wait: number;
  readonly helm: string;
}

export function teardownCommand(): Command {
  const command = new Command('teardown')
    .description(
      'Remove a stack: its release and, with --delete-namespace, its namespace. Check that nothing is left. PersistentVolumeClaims, and the models on them, are kept unless --pvcs is given.',
    )
    .option('--pvcs', 'also remove PersistentVolumeClaims')
    .option('--delete-namespace', 'remove the namespace afterwards, with everything in it')
    .option('--wait <duration>', 'maximum time, in seconds or with a unit', duration('s'), 300)
    .option('--helm <program>', 'Helm to use', 'helm')
    .action(run);
  return addHelpEnd(
    addStackFlags(command),
    'Exit status: 0 nothing is left, 1 something is left, 2 bad input, 4 the cluster or a host cannot be reached.',
  );
}

async function run(flags: Flags): Promise<void> {
  if (flags.target === 'bare-metal') {
    const { teardownOnHosts } = await import('../bare-metal/release-commands.ts');
    return teardownOnHosts(flags);
  }
  await withStack(flags, async ({ cluster, namespace, release, signal }) => {
    const print = progressOf(flags);
    const outcome = await teardown({
      ...{ cluster, namespace, release, helm: flags.helm, signal },
      ...{ removesClaims: flags.pvcs === true, removesNamespace: flags.deleteNamespace === true },
      ...{ waitMs: flags.wait * 1000, onStep: print },
    });
    const { kept, left } = outcome;
    if (flags.json) printJson({ release, namespace, ...outcome });
    for (const object of kept) print(`kept ${object}; --pvcs removes it`);
    for (const object of left) print(`left: ${object}`);
    if (left.length === 0) print(kept.length === 0 ? 'Nothing is left.' : 'Nothing else is left.');
    process.exitCode = left.length === 0 ? 0 : 1;
  });
}
