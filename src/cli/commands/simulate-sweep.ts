// `spillway simulate sweep`: one simulation for each combination of settings and seed.
import { Command, Option } from 'commander';
import { collect } from '../arguments/lists.ts';
import { positive, positiveInteger } from '../arguments/numbers.ts';
import type { SweepFlags } from '../simulate/play-sweep.ts';
import { addStackFlags, addTrafficFlags } from '../simulate/stack-flags.ts';

export function sweepCommand(): Command {
  const command = new Command('sweep').description(
    'Simulate the stack of a values file for every combination of settings, on all CPU cores.',
  );
  return addStackFlags(addTrafficFlags(command).optionsGroup('Stack:'))
    .optionsGroup('Sweep:')
    .option(
      '--vary <key=values>',
      'KEY=2,4,8 or KEY=FROM:TO:STEP: a values key, or workload.KEY; repeatable',
      collect,
    )
    .option('--seeds <n>', 'number of runs per combination, with seeds 1 to n', positiveInteger, 1)
    .option('--jobs <n>', 'number of parallel processes (default: one per core)', positiveInteger)
    .addOption(
      new Option(
        '--find <what>',
        'break-even: the point from which native offload and LMCache pay',
      ).choices(['break-even']),
    )
    .option('--host-gib <n>', 'break-even: host memory of each engine for KV, GiB', positive, 100)
    .optionsGroup('Output:')
    .option('--html <file>', 'write a page with the Pareto chart')
    .option('--json', 'the result as JSON')
    .exitOverride()
    .action(async (flags: SweepFlags) => {
      const { playSweep } = await import('../simulate/play-sweep.ts');
      await playSweep(flags);
    });
}
