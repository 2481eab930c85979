// `spillway simulate sweep`: one simulation for each combination of settings and seed.
import { Command, Option } from 'commander';
import { positive, whole } from '../number-arguments.ts';
import type { SweepFlags } from '../simulate/play-sweep.ts';
import { addStackFlags, addTrafficFlags } from '../simulate/stack-flags.ts';

export function sweepCommand(): Command {
  const command = new Command('sweep').description(
    'Simulate the stack of a values file for every combination of settings, on all cores.',
  );
  return addStackFlags(addTrafficFlags(command))
    .option(
      '--vary <key=values>',
      'KEY=2,4,8 or KEY=FROM:TO:STEP: a values key, or workload.KEY; repeatable',
      collect,
    )
    .option('--seeds <n>', 'runs of each combination, with seeds 1 to n', whole, 1)
    .option('--jobs <n>', 'processes at a time (default: one a core)', whole)
    .addOption(
      new Option(
        '--find <what>',
        'break-even: from where on native offload and LMCache pay',
      ).choices(['break-even']),
    )
    .option('--host-gib <n>', 'break-even: host memory of each engine for KV, GiB', positive, 100)
    .option('--html <file>', 'write a page with the Pareto picture')
    .option('--json', 'the result as JSON')
    .exitOverride()
    .action(async (flags: SweepFlags) => {
      const { playSweep } = await import('../simulate/play-sweep.ts');
      await playSweep(flags);
    });
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
