// `spillway simulate`: engines in virtual time.
import { Command, Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { defaultPolicyName, policyNames } from '../../core/routing/index.ts';
import { loadCatalogue } from '../../io/models/index.ts';
import { loadValues } from '../../io/values/index.ts';
import {
  fleetRunJson,
  fleetRunTable,
  perRequestLines,
  simulatedRunJson,
  simulatedRunTable,
  simulateFleetRun,
  simulateRun,
  simulateStack,
  stackJson,
  stackPage,
  stackTable,
} from '../../tools/simulate/index.ts';
import { nonNegative, positive, whole } from '../number-arguments.ts';
import { toFailure, toOffload, toOutage, toPercentiles } from '../simulate-arguments.ts';
import { addStackFlags, addTrafficFlags, type StackFlags } from '../simulate-stack-flags.ts';
import { writeOutput } from '../write-output.ts';
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

interface SimulateFlags extends StackFlags {
  readonly engineArgs?: string;
  readonly gpu?: string;
  readonly engines?: number;
  readonly tensorParallelSize?: number;
  readonly pipelineParallelSize?: number;
  readonly dataParallelSize?: number;
  readonly policy?: string;
  readonly seed?: number;
  readonly kvOffloadingSize?: number;
  readonly kvOffload?: 'native';
  readonly numGpuBlocksOverride?: number;
  readonly hostMsPerStep?: number;
  readonly allReduceLatencyUs?: number;
  readonly allReduceGbps?: number;
  readonly percentiles: readonly number[];
  readonly perRequest?: string;
  readonly json?: true;
  readonly html?: string;
}

async function runSimulation(flags: SimulateFlags): Promise<void> {
  const { trace, engineArgs, engines } = flags;
  if (flags.file !== undefined || flags.preset !== undefined) return runStack(flags);
  refuse(flags, stackOnly, '-f VALUES.yaml');
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
  if (engines !== undefined) await runFleet(flags, trace, engines);
  else if (engineArgs !== undefined) await runEngine(flags, trace, engineArgs);
}

/** What the values say for a stack, or what only a recorded engine has. */
const notForStacks = [
  ...(['engineArgs', 'engines', 'gpu', 'policy', 'kvOffloadingSize', 'kvOffload'] as const),
  ...(['numGpuBlocksOverride', 'hostMsPerStep', 'allReduceLatencyUs', 'allReduceGbps'] as const),
  ...(['tensorParallelSize', 'pipelineParallelSize', 'dataParallelSize'] as const),
];
const stackOnly = [
  ...(['set', 'setString', 'workload', 'setWorkload', 'fail', 'offload', 'loseStore'] as const),
  ...(['link', 'sloTtftMs', 'sloTpotMs', 'html'] as const),
];

async function runStack(flags: SimulateFlags): Promise<void> {
  refuseFor(flags, notForStacks, 'does not go with -f; set it in the values file, or with --set');
  const { trace, workload } = flags;
  if ((trace === undefined) === (workload === undefined)) {
    throw new InputError('simulate -f needs either --trace FILE or --workload FILE.');
  }
  const values = await loadValues({
    files: flags.file,
    sets: flags.set,
    setStrings: flags.setString,
    preset: flags.preset,
    catalogue: await loadCatalogue(),
  });
  const bar = progressBar();
  const run = await simulateStack({
    ...{ values, trace, workload, model: flags.model, percentiles: flags.percentiles },
    ...{ requests: flags.requests, speed: flags.speed ?? 1, seed: flags.seed ?? 1 },
    ...{ failures: (flags.fail ?? []).map(toFailure), workloadSets: flags.setWorkload },
    outage: flags.loseStore === undefined ? undefined : toOutage(flags.loseStore),
    offload: flags.offload === undefined ? undefined : toOffload(flags.offload),
    ...{ link: flags.link, profile: flags.profile },
    ...((flags.sloTtftMs ?? flags.sloTpotMs) !== undefined && {
      limits: { ttftMs: flags.sloTtftMs, tpotMs: flags.sloTpotMs },
    }),
    onProgress: bar.show,
  });
  bar.clear();
  await writePerRequest(flags.perRequest, () => perRequestLines(run.timings, 'arrival'));
  if (flags.html !== undefined) {
    const command = ['spillway', ...process.argv.slice(2)].join(' ');
    await writeOutput(flags.html, 'page', stackPage(run, command));
  }
  process.stdout.write(flags.json ? `${JSON.stringify(stackJson(run))}\n` : stackTable(run));
}

const barCells = 30;

/** A bar on a terminal, nothing elsewhere. */
function progressBar(): {
  readonly show: ((done: number, total: number | undefined) => void) | undefined;
  clear(): void;
} {
  if (!process.stderr.isTTY) return { show: undefined, clear: () => {} };
  return {
    show(done, total) {
      const share = total === undefined ? undefined : Math.min(1, done / total);
      const filled = Math.round((share ?? 0) * barCells);
      const cells =
        share === undefined ? '' : `[${'█'.repeat(filled)}${' '.repeat(barCells - filled)}] `;
      const of = total === undefined ? '' : ` of ${total}`;
      process.stderr.write(`\r\x1b[2K${cells}${done}${of} requests`);
    },
    clear: () => void process.stderr.write('\r\x1b[2K'),
  };
}

/** Flags that mean nothing to a fleet, whose engines are sized from the catalogue. */
const engineOnly = [
  ...(['numGpuBlocksOverride', 'hostMsPerStep', 'allReduceLatencyUs', 'allReduceGbps'] as const),
];
const fleetOnly = [
  ...(['policy', 'speed', 'requests', 'seed'] as const),
  ...(['kvOffloadingSize', 'kvOffload'] as const),
  ...(['tensorParallelSize', 'pipelineParallelSize', 'dataParallelSize'] as const),
];

function refuse(flags: SimulateFlags, names: readonly (keyof SimulateFlags)[], needs: string) {
  refuseFor(flags, names, `goes with ${needs} only; leave it out`);
}

function refuseFor(
  flags: SimulateFlags,
  names: readonly (keyof SimulateFlags)[],
  why: string,
): void {
  const given = names.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  const flag = given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new InputError(`--${flag} ${why}.`);
}

async function runFleet(flags: SimulateFlags, trace: string, engines: number): Promise<void> {
  refuse(flags, engineOnly, '--engine-args');
  if (flags.kvOffload && flags.kvOffloadingSize === undefined) {
    throw new InputError('--kv-offload needs --kv-offloading-size, the host memory in GiB.');
  }
  const bar = progressBar();
  const run = await simulateFleetRun({
    ...{ trace, engines, percentiles: flags.percentiles, requests: flags.requests },
    gpu: flags.gpu ?? 'H100-80GB',
    model: flags.model ?? 'Qwen/Qwen3-8B',
    tensorParallelSize: flags.tensorParallelSize,
    pipelineParallelSize: flags.pipelineParallelSize,
    dataParallelSize: flags.dataParallelSize,
    policy: flags.policy ?? defaultPolicyName,
    speed: flags.speed ?? 1,
    seed: flags.seed ?? 1,
    profile: flags.profile,
    hostBytes: flags.kvOffloadingSize && flags.kvOffloadingSize * 2 ** 30,
    onProgress: bar.show,
  });
  bar.clear();
  await writePerRequest(flags.perRequest, () => perRequestLines(run.timings, 'arrival'));
  process.stdout.write(flags.json ? `${JSON.stringify(fleetRunJson(run))}\n` : fleetRunTable(run));
}

async function runEngine(flags: SimulateFlags, trace: string, engineArgs: string): Promise<void> {
  refuse(flags, fleetOnly, '--engines');
  const { hostMsPerStep, allReduceLatencyUs, allReduceGbps } = flags;
  const run = await simulateRun({
    trace,
    engineArgs,
    profile: flags.profile,
    gpu: flags.gpu,
    model: flags.model,
    numGpuBlocks: flags.numGpuBlocksOverride,
    hostSecondsPerStep: hostMsPerStep === undefined ? undefined : hostMsPerStep / 1e3,
    allReduceLatencySeconds:
      allReduceLatencyUs === undefined ? undefined : allReduceLatencyUs / 1e6,
    allReduceBytesPerSecond: allReduceGbps === undefined ? undefined : allReduceGbps * 1e9,
    percentiles: flags.percentiles,
  });
  await writePerRequest(flags.perRequest, () => perRequestLines(run.result.timings, 'queued'));
  if (flags.json) process.stdout.write(`${JSON.stringify(simulatedRunJson(run))}\n`);
  else process.stdout.write(simulatedRunTable(run));
}

async function writePerRequest(file: string | undefined, lines: () => string): Promise<void> {
  if (file !== undefined) await writeOutput(file, 'requests', lines());
}
