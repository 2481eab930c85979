// `spillway simulate`: engines in virtual time.
import { Command, Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { kvLinkNames } from '../../core/engine/index.ts';
import { defaultPolicyName, policyNames } from '../../core/routing/index.ts';
import { type EngineFailure, type HitPolicy, hitPolicies } from '../../core/simulation/index.ts';
import { loadCatalogue } from '../../io/models/index.ts';
import { loadValues } from '../../io/values/index.ts';
import {
  fleetRunJson,
  fleetRunTable,
  hitsJson,
  hitsTable,
  latencyTable,
  type OffloadChoice,
  type Outage,
  perRequestLines,
  simulatedRunJson,
  simulateFleetRun,
  simulateHits,
  simulateRun,
  simulateStack,
  stackJson,
  stackPage,
  stackTable,
} from '../../tools/simulate/index.ts';
import { nonNegative, positive, whole } from '../number-arguments.ts';
import {
  collectFailure,
  toCapacities,
  toOffload,
  toOutage,
  toPercentiles,
  toTierCapacities,
} from '../simulate-arguments.ts';
import { writeOutput } from '../write-output.ts';
import { pointsCommand } from './simulate-points.ts';
import { sweepCommand } from './simulate-sweep.ts';

/** The command `simulate` with its subcommands. */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description(
      'Play a trace to engine models on a virtual clock and say what real ones would do.',
    )
    .option('--trace <file>', 'requests: JSON lines with block ids or Azure CSV, plain or gzipped')
    .option('--engine-args <file>', 'meta.json of a recorded vLLM: the engine as it was started')
    .option('--engines <n>', 'a fleet of so many engines behind the router’s policy', whole)
    .option(
      '--model <name>',
      'model of the catalogue, or a folder with config.json (default: as recorded; ' +
        'fleet: Qwen/Qwen3-8B)',
    )
    .option('--tensor-parallel-size <n>', 'fleet: GPUs that share each layer (default: 1)', whole)
    .option(
      '--pipeline-parallel-size <n>',
      'fleet: groups of GPUs with a part of the layers',
      whole,
    )
    .option('--data-parallel-size <n>', 'fleet: cores of an engine, which the router tells', whole)
    .option('--policy <name>', `fleet: one of ${policyNames.join(', ')} (default: predictive)`)
    .option('--speed <n>', 'fleet: divide arrival times by n (default: 1)', positive)
    .option('--requests <n>', 'fleet: play only this many (default: all)', whole)
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
    .option('--seed <n>', 'fleet: of policies that draw (default: 1)', whole)
    .option('--profile <directory>', 'measured step times (default: the roofline of the GPU)')
    .option(
      '--gpu <name>',
      'GPU of the catalogue, a YAML file, or an entry (default: as recorded, or the profile’s name)',
    )
    .option('--num-gpu-blocks-override <n>', 'KV blocks (default: as recorded, or computed)', whole)
    .option('--host-ms-per-step <ms>', 'host time per step (default: that of the GPU)', nonNegative)
    .option('--all-reduce-latency-us <us>', 'start of an all-reduce, tensor parallel', nonNegative)
    .option('--all-reduce-gbps <n>', 'rate of an all-reduce, 10^9 bytes/s', positive)
    .option('-f, --file <file>', 'values file: the stack that it asks for; repeatable', collect)
    .option('--set <key=value>', 'stack: set one value, as with Helm; repeatable', collect)
    .option('--set-string <key=value>', 'stack: the same, as text; repeatable', collect)
    .option('--preset <name>', 'stack: values to start from')
    .option('--workload <file>', 'stack: generated requests in place of a trace; see the guide')
    .option('--set-workload <key=value>', 'stack: set one key of the workload; repeatable', collect)
    .option(
      '--offload <choice>',
      'stack: none, native=GIB or lmcache=GIB of host memory an engine, whatever the values say',
      toOffload,
    )
    .option(
      '--lose-store <time>',
      'stack: SECONDS[+SECONDS], takes the store that engines share away, for so long',
      toOutage,
    )
    .option(
      '--fail <failure>',
      'stack: ENGINE@SECONDS[+SECONDS], stops an engine (from 0), for so long; repeatable',
      collectFailure,
    )
    .option(
      '--link <name>',
      `stack with prefill and decode apart: ${kvLinkNames.join(', ')}, or GB/s of one GPU, whatever the values say`,
    )
    .option('--slo-ttft-ms <ms>', 'stack: goodput, time to first token at most', positive)
    .option('--slo-tpot-ms <ms>', 'stack: goodput, time per output token at most', positive)
    .option('--html <file>', 'stack: write a page with pictures')
    .option('--percentiles <list>', 'comma-separated', toPercentiles, [50, 90, 95, 99])
    .option('--per-request <file>', 'one line of JSON for each request')
    .option('--json', "result in vllm bench serve's keys on standard output")
    .exitOverride()
    .action(runSimulation)
    .addCommand(hitsCommand())
    .addCommand(pointsCommand())
    .addCommand(sweepCommand());
}

interface SimulateFlags {
  readonly trace?: string;
  readonly engineArgs?: string;
  readonly profile?: string;
  readonly gpu?: string;
  readonly engines?: number;
  readonly model?: string;
  readonly tensorParallelSize?: number;
  readonly pipelineParallelSize?: number;
  readonly dataParallelSize?: number;
  readonly policy?: string;
  readonly speed?: number;
  readonly requests?: number;
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
  readonly file?: readonly string[];
  readonly set?: readonly string[];
  readonly setString?: readonly string[];
  readonly preset?: string;
  readonly workload?: string;
  readonly setWorkload?: readonly string[];
  readonly offload?: OffloadChoice;
  readonly loseStore?: Outage;
  readonly fail?: readonly EngineFailure[];
  readonly link?: string;
  readonly sloTtftMs?: number;
  readonly sloTpotMs?: number;
  readonly html?: string;
}

async function runSimulation(flags: SimulateFlags): Promise<void> {
  const { trace, engineArgs, engines } = flags;
  if (flags.file !== undefined || flags.preset !== undefined) return runStack(flags);
  refuse(flags, stackOnly, '-f VALUES.yaml');
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
  ...(['engineArgs', 'engines', 'gpu', 'policy', 'profile', 'kvOffloadingSize'] as const),
  ...(['kvOffload', 'numGpuBlocksOverride', 'hostMsPerStep'] as const),
  ...(['tensorParallelSize', 'pipelineParallelSize', 'dataParallelSize'] as const),
  ...(['allReduceLatencyUs', 'allReduceGbps'] as const),
];
const stackOnly = [
  ...([
    'set',
    'setString',
    'workload',
    'setWorkload',
    'fail',
    'offload',
    'loseStore',
    'link',
    'sloTtftMs',
    'sloTpotMs',
    'html',
  ] as const),
] as const;

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
    ...{ failures: flags.fail ?? [], outage: flags.loseStore, workloadSets: flags.setWorkload },
    ...{ offload: flags.offload, link: flags.link },
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
  'profile',
  'numGpuBlocksOverride',
  'hostMsPerStep',
  'allReduceLatencyUs',
  'allReduceGbps',
] as const;
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
  else process.stdout.write(latencyTable(run.report));
}

async function writePerRequest(file: string | undefined, lines: () => string): Promise<void> {
  if (file !== undefined) await writeOutput(file, 'requests', lines());
}

interface HitsFlags {
  readonly blockTokens?: number;
  readonly capacity: readonly number[];
  readonly engines: number;
  readonly policy: HitPolicy;
  readonly cpuCapacity?: readonly number[];
  readonly pooled?: true;
}

function hitsCommand(): Command {
  return (
    new Command('hits')
      .description('Prefix-cache hits of a trace without service times, one row for each capacity.')
      .option('--block-tokens <n>', 'tokens of one block id (default: as the rows tell)', whole)
      .requiredOption('--capacity <list>', 'blocks of each cache, e.g. 500,1000,inf', toCapacities)
      .option('--engines <n>', 'caches, each on its own', whole, 1)
      .option(
        '--cpu-capacity <list>',
        'blocks of a tier below each cache; 0 for none',
        toTierCapacities,
      )
      .option('--pooled', 'one tier for all caches, as large as theirs together')
      .addOption(
        new Option('--policy <name>', 'which cache serves a request')
          .choices(hitPolicies)
          .default('roundrobin'),
      )
      // `--trace` and `--json` may also have been taken by the command above.
      .option('--trace <file>', 'requests with block ids, plain or gzipped')
      .option('--json', 'one JSON object a row')
      .exitOverride()
      .action(async (_flags, command: Command) => {
        const flags = command.optsWithGlobals<HitsFlags & { trace?: string; json?: true }>();
        const { capacity: capacities, blockTokens, engines, policy } = flags;
        const trace = neededTrace(flags.trace);
        const { cpuCapacity: cpuCapacities = [], pooled = false } = flags;
        if (pooled && cpuCapacities.length === 0) {
          throw new InputError(
            '--pooled goes with --cpu-capacity only; say how large the tier is.',
          );
        }
        const rows = await simulateHits({
          ...{ trace, blockTokens, capacities, engines, policy, cpuCapacities, pooled },
        });
        if (flags.json) {
          process.stdout.write(rows.map((row) => `${JSON.stringify(hitsJson(row))}\n`).join(''));
        } else {
          process.stdout.write(hitsTable(rows));
        }
      })
  );
}

function neededTrace(trace: string | undefined): string {
  if (trace !== undefined) return trace;
  throw new InputError('simulate hits needs --trace FILE.');
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
