// `spillway simulate`: engines in virtual time.
import { Command, Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { policyNames } from '../../core/routing/index.ts';
import { nonNegative, positive, whole } from '../number-arguments.ts';
import { toPercentiles } from '../simulate/arguments.ts';
import { checkNoStackFlags, type SimulateFlags } from '../simulate/flags.ts';
import { addStackFlags, addTrafficFlags } from '../simulate/stack-flags.ts';
import { hitsCommand } from './simulate-hits.ts';
import { pointsCommand } from './simulate-points.ts';
import { sweepCommand } from './simulate-sweep.ts';

/** The command `simulate` with its subcommands. */
export function simulateCommand(): Command {
  const command = new Command('simulate').description(
    'Play a trace to engine models on a virtual clock and say what real ones would do.',
  );
  addTrafficFlags(command)
    .option('--engine-args <file>', 'meta.json of a recorded vLLM: the engine as it was started')
    .option('--engines <n>', 'a fleet of so many engines behind the router’s policy', whole)
    .option('--tensor-parallel-size <n>', 'fleet: GPUs that share each layer (default: 1)', whole)
    .option(
      '--pipeline-parallel-size <n>',
      'fleet: groups of GPUs with a part of the layers',
      whole,
    )
    .option('--data-parallel-size <n>', 'fleet: cores of an engine, which the router tells', whole)
    .option('--policy <name>', `fleet: one of ${policyNames.join(', ')} (default: predictive)`)
    .option(
      '--kv-offloading-size <gib>',
      'fleet: host memory of each engine for evicted KV, GiB (default: none)',
      positive,
    )
    .addOption(
      new Option('--kv-offload <backend>', 'fleet: what takes it (default: native)').choices([
        'native',
      ]),
    )
    .option('--seed <n>', 'fleet, stack: of what is drawn (default: 1)', whole)
    .option(
      '--gpu <name>',
      'GPU of the catalogue, a YAML file, or an entry (default: as recorded, or the profile’s name)',
    )
    .option('--num-gpu-blocks-override <n>', 'KV blocks (default: as recorded, or computed)', whole)
    .option('--host-ms-per-step <ms>', 'host time per step (default: that of the GPU)', nonNegative)
    .option('--all-reduce-latency-us <us>', 'start of an all-reduce, tensor parallel', nonNegative)
    .option('--all-reduce-gbps <n>', 'rate of an all-reduce, 10^9 bytes/s', positive);
  return (
    addStackFlags(command, 'stack: ')
      .option('--html <file>', 'stack: write a page with pictures')
      .option('--percentiles <list>', 'comma-separated', toPercentiles, [50, 90, 95, 99])
      .option('--per-request <file>', 'one line of JSON for each request')
      .option('--json', "result in vllm bench serve's keys on standard output")
      // What follows the word of a subcommand is the subcommand's, which refuses what it does not know.
      .enablePositionalOptions()
      .exitOverride()
      .hook('preSubcommand', refuseFlagsBefore)
      .action(runSimulation)
      .addCommand(hitsCommand())
      .addCommand(pointsCommand())
      .addCommand(sweepCommand())
  );
}

/** Nobody would read them. */
function refuseFlagsBefore(command: Command, subcommand: Command): void {
  const given = command.options.find(
    (option) => command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  if (given === undefined) return;
  const name = subcommand.name();
  throw new InputError(
    `${given.long} stands before "${name}"; give the flags of ${name} after it.`,
  );
}

/** Loads what the question needs: a fleet of the catalogue has no values file, nor its schema. */
async function runSimulation(flags: SimulateFlags): Promise<void> {
  const { trace, engineArgs, engines } = flags;
  if (flags.file !== undefined || flags.preset !== undefined) {
    const { playStack } = await import('../simulate/play-stack.ts');
    return playStack(flags);
  }
  checkNoStackFlags(flags);
  if (engineArgs !== undefined && engines !== undefined) {
    throw new InputError(
      '--engine-args is one vLLM as it was started, and --engines a fleet of the catalogue; give one of them.',
    );
  }
  if (trace === undefined || (engineArgs === undefined) === (engines === undefined)) {
    throw new InputError(
      'simulate needs -f VALUES.yaml (a stack) with --trace FILE or --workload FILE, or --trace FILE ' +
        'and either --engine-args META.json (one vLLM as it was started) or --engines N (a fleet); ' +
        'see spillway simulate --help.',
    );
  }
  if (engines !== undefined) {
    const { playFleet } = await import('../simulate/play-fleet.ts');
    await playFleet(flags, trace, engines);
  } else if (engineArgs !== undefined) {
    const { playEngine } = await import('../simulate/play-engine.ts');
    await playEngine(flags, trace, engineArgs);
  }
}
