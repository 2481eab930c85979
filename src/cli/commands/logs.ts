// `spillway logs`: the logs of a stack's pods.
import { once } from 'node:events';
import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { type LogLine, readStackLogs } from '../../tools/deploy/index.ts';
import { positiveInteger } from '../arguments/numbers.ts';
import { duration } from '../arguments/quantities.ts';
import {
  addStackFlags,
  existingRelease,
  type StackFlags,
  withStack,
} from '../cluster/stack-flags.ts';
import { addHelpEnd } from '../help.ts';

interface Flags extends StackFlags {
  readonly follow?: true;
  readonly tail: number;
  readonly since?: number;
  readonly previous?: true;
}

export function logsCommand(): Command {
  const command = new Command('logs')
    .description(
      "Show the logs of a stack's pods: all of them, or those of components (such as router or engine), models or single pods.",
    )
    .argument('[names...]', 'components, models or pods')
    .optionsGroup('Lines:')
    .option('--follow', 'keep printing until Ctrl-C, including pods that start later')
    .option('--tail <n>', 'last lines of each container', positiveInteger, 100)
    .option(
      '--since <duration>',
      'only lines newer than this, in seconds or with a unit',
      duration('s'),
    )
    .option('--previous', 'logs of the containers before their last restart')
    .action(run);
  return addHelpEnd(
    addStackFlags(command),
    'With --json, each line is one JSON object. Exit status: 0 done or ended by Ctrl-C, 1 a log could not be read, 2 bad input or no such release, 4 the cluster cannot be reached.',
  );
}

async function run(names: readonly string[], flags: Flags): Promise<void> {
  if (flags.follow && flags.previous) {
    throw new InputError(
      '--follow: the containers before a restart write no further lines; leave out --previous.',
    );
  }
  if (flags.target === 'bare-metal') {
    const { logsOnHosts } = await import('../bare-metal/release-commands.ts');
    return logsOnHosts(names, flags);
  }
  await withStack(flags, async (stack) => {
    const { manifests } = await existingRelease(stack);
    const { cluster, namespace, signal } = stack;
    await readStackLogs({
      ...{ cluster, namespace, manifests, names, signal },
      ...{ tailLines: flags.tail, sinceSeconds: flags.since && Math.ceil(flags.since) },
      ...{ isPrevious: flags.previous === true, follows: flags.follow === true },
      onLines: async (lines) => {
        const text = lines.map((line) => (flags.json ? JSON.stringify(line) : textOf(line)));
        const { stdout } = process;
        // A slow reader of this output slows down the reading of logs.
        if (!stdout.write(`${text.join('\n')}\n`)) await once(stdout, 'drain', { signal });
      },
      onProblem: (problem) => {
        process.stderr.write(`${problem}\n`);
        if (!flags.follow) process.exitCode = 1;
      },
    });
  });
}

function textOf({ pod, line }: LogLine): string {
  return `${pod}: ${line}`;
}
