// `spillway simulate`: engines in virtual time.
import { setFlagsFromString } from 'node:v8';
import { Command, Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { defaultPolicyName, policyNames } from '../../core/routing/index.ts';
import { addAdmissionFlags } from '../admission-flags.ts';
import { percentiles } from '../arguments/lists.ts';
import { refuseArguments } from '../arguments/no-arguments.ts';
import { nonNegative, positive, positiveInteger } from '../arguments/numbers.ts';
import type { Delivery } from '../deliver.ts';
import { endedByCtrlC } from '../ended-by-ctrl-c.ts';
import { addPolicyFlags } from '../policy-flags.ts';
import { checkNoStackFlags, type SimulateFlags } from '../simulate/flags.ts';
import { addStackFlags, addTrafficFlags } from '../simulate/stack-flags.ts';
import { hitsCommand } from './simulate-hits.ts';
import { pointsCommand } from './simulate-points.ts';
import { sweepCommand } from './simulate-sweep.ts';

/** Versions of V8 in Node 22 to 26: an unknown flag would be a line on standard error. */
const knownV8 = { first: 12, last: 14 };

/**
 * Calls of a function after which V8 compiles it with its slowest compiler; its default is 3,000.
 *
 * Functions that run once per request were compiled when most of a trace of 12,000 requests was over, which never
 * paid: with 30,000 calls, that trace on eight engines takes 9 % less time on one core. Loops are compiled as early
 * as before, and longer runs take as long as before.
 */
const callsBeforeTurbofan = 30_000;

/** The command `simulate` with its subcommands. */
export function simulateCommand(): Command {
  const command = new Command('simulate').description(
    'Simulate engines, a fleet or a stack on a trace or workload, in virtual time.',
  );
  addTrafficFlags(command)
    .option(
      '--gpu <name>',
      'catalogue name, YAML file or JSON entry of the GPU (default: as recorded, or the profile’s name)',
    )
    .option('--seed <n>', 'fleet, stack: seed of all random draws (default: 1)', positiveInteger)
    .optionsGroup('One recorded engine, with --engine-args:')
    .option('--engine-args <file>', 'meta.json of a recorded vLLM server, with its settings')
    .option(
      '--num-gpu-blocks-override <n>',
      'KV blocks (default: as recorded, or computed)',
      positiveInteger,
    )
    .option(
      '--host-ms-per-step <ms>',
      'host time per step (default: from the GPU’s entry)',
      nonNegative,
    )
    .option('--all-reduce-latency-us <us>', 'latency of a tensor-parallel all-reduce', nonNegative)
    .option('--all-reduce-gbps <n>', 'bandwidth of an all-reduce, 10^9 bytes/s', positive)
    .optionsGroup('Fleet, with --engines:')
    .option('--engines <n>', 'number of engines behind the router’s policy', positiveInteger)
    .option(
      '--tensor-parallel-size <n>',
      'GPUs that share each layer (default: 1)',
      positiveInteger,
    )
    .option(
      '--pipeline-parallel-size <n>',
      'groups of GPUs with a part of the layers each',
      positiveInteger,
    )
    .option(
      '--data-parallel-size <n>',
      'data-parallel cores per engine, each of which the router addresses',
      positiveInteger,
    )
    .option('--policy <name>', `one of ${policyNames.join(', ')} (default: ${defaultPolicyName})`);
  addAdmissionFlags(addPolicyFlags(command))
    .option(
      '--kv-offloading-size <gib>',
      'host memory of each engine for evicted KV, GiB (default: none)',
      positive,
    )
    .addOption(
      new Option('--kv-offload <backend>', 'what stores it (default: native)').choices(['native']),
    )
    .optionsGroup('Stack, with -f:');
  return (
    addStackFlags(command)
      .optionsGroup('Output:')
      .option('--html <file>', 'stack: write a page with charts')
      .option('--percentiles <list>', 'comma-separated', percentiles, [50, 90, 95, 99])
      .option('--per-request <file>', 'one JSON line per request')
      .option('--json', 'result with the keys of vllm bench serve, on standard output')
      // Flags after the name of a subcommand belong to it, and it refuses unknown ones.
      .enablePositionalOptions()
      .exitOverride()
      .hook('preSubcommand', refuseFlagsBefore)
      .hook('preAction', refuseArguments)
      .allowExcessArguments()
      .action(async (flags: SimulateFlags) => {
        const results = await endedByCtrlC(() => runSimulation(flags));
        const { deliver } = await import('../deliver.ts');
        await deliver(results);
      })
      .addCommand(hitsCommand())
      .addCommand(pointsCommand())
      .addCommand(sweepCommand())
  );
}

/** Refuses flags before a subcommand, which would have no effect. */
function refuseFlagsBefore(command: Command, subcommand: Command): void {
  const given = command.options.find(
    (option) => command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  if (given === undefined) return;
  const name = subcommand.name();
  throw new InputError(`${given.long} is before "${name}"; put the flags of ${name} after it.`);
}

/** Tells V8 that the process computes for a second or two and ends. */
function compileForShortRun(): void {
  const major = Number(process.versions.v8.split('.')[0]);
  if (major < knownV8.first || major > knownV8.last) return;
  setFlagsFromString(`--invocation-count-for-turbofan=${callsBeforeTurbofan}`);
}

/** Loads only what is needed: a fleet of the catalogue has neither a values file nor its schema. */
async function runSimulation(flags: SimulateFlags): Promise<Delivery> {
  compileForShortRun();
  const { trace, engineArgs, engines } = flags;
  if (flags.file !== undefined || flags.preset !== undefined) {
    const { playStack } = await import('../simulate/play-stack.ts');
    return playStack(flags);
  }
  checkNoStackFlags(flags);
  if (engineArgs !== undefined && engines !== undefined) {
    throw new InputError(
      '--engine-args simulates one recorded vLLM server, and --engines a fleet; give one of them.',
    );
  }
  if (trace === undefined || (engineArgs === undefined) === (engines === undefined)) {
    throw new InputError(
      'simulate needs -f VALUES.yaml (a stack) with --trace FILE or --workload FILE, or --trace FILE ' +
        'and either --engine-args META.json (one recorded vLLM server) or --engines N (a fleet); ' +
        'see spillway simulate --help.',
    );
  }
  if (engines !== undefined) {
    const { playFleet } = await import('../simulate/play-fleet.ts');
    return playFleet(flags, trace, engines);
  }
  const { playEngine } = await import('../simulate/play-engine.ts');
  return playEngine(flags, trace, engineArgs as string);
}
