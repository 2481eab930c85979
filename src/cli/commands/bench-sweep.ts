// `spillway bench sweep` and `bench saturate`: the same load at ever higher rates, or from ever more users.
import { performance } from 'node:perf_hooks';
import type { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { checkOutput, writeOutput } from '../../io/files/index.ts';
import {
  type LoadAxis,
  type LoadPoint,
  pointJson,
  runSaturation,
  runSweep,
  type SweepOutcome,
  searchJson,
  searchTable,
  sweepJson,
  sweepTable,
} from '../../tools/capacity/index.ts';
import { readEnvironment } from '../../tools/environment/index.ts';
import type { RunFolder } from '../../tools/runs/index.ts';
import { positive, positiveInteger } from '../arguments/numbers.ts';
import { addSloFlags, loadList, type SloFlags } from '../bench/capacity-flags.ts';
import { addClientsFlag } from '../bench/measurement-flags.ts';
import { preparesLoad } from '../bench/prepare-load.ts';
import {
  type CapacityFlags,
  checkHasNoLoad,
  runnerOf,
  searchFor,
  showPoint,
} from '../bench/run-capacity.ts';
import { addRunDirFlag, finishRun, openRun, type RunDirFlags, recorded } from '../bench/run-dir.ts';
import { interruptible } from '../bench/run-measured.ts';
import { addLoadFlags } from '../bench/serve-flags.ts';
import { limitsOf, urlOf } from '../bench/serve-options.ts';
import { addTargetFlags } from '../bench/target-flags.ts';
import { VllmBenchCommand } from '../bench/vllm-bench-arguments.ts';
import { deliver } from '../deliver.ts';

interface OutputFlags extends RunDirFlags {
  readonly json?: string | true;
}

interface SweepFlags extends CapacityFlags, SloFlags, OutputFlags {
  readonly rates?: readonly number[];
  readonly concurrencies?: readonly number[];
}

interface SaturateFlags extends CapacityFlags, SloFlags, OutputFlags {
  readonly from: number;
  readonly maxUsers: number;
}

/** First rate of a search, in requests per second. */
const startRate = 1;

/** The command `bench sweep`. */
export function sweepCommand(): Command {
  const command = preparesLoad(new VllmBenchCommand('sweep'))
    .description(
      'Run the load at several rates, or from several numbers of users, and find the knee: the load beyond which waiting grows faster than throughput. With --slo and no list, find the highest rate within a service level.',
    )
    .optionsGroup('Sweep:')
    .option(
      '--rates <list>',
      'requests per second: 1,2,4,8 or 2:10:2 or 1:64:x2',
      loadList(positive),
    )
    .option(
      '--concurrencies <list>',
      'numbers of users in a closed loop: 1,2,4,8 or 1:256:x2',
      loadList(positiveInteger),
    );
  return withOutput(addSloFlags(addClientsFlag(addLoadFlags(addTargetFlags(command))))).action(
    sweep,
  );
}

/** The command `bench saturate`. */
export function saturateCommand(): Command {
  const command = preparesLoad(new VllmBenchCommand('saturate'))
    .description(
      'Double the number of users until the throughput no longer grows, and find how many are enough. With --slo, find the highest rate within a service level.',
    )
    .optionsGroup('Saturation:')
    .option('--from <n>', 'first number of users', positiveInteger, 1)
    .option('--max-users <n>', 'highest number of users', positiveInteger, 1024);
  return withOutput(addSloFlags(addClientsFlag(addLoadFlags(addTargetFlags(command))))).action(
    saturate,
  );
}

function withOutput(command: Command): Command {
  return addRunDirFlag(command.optionsGroup('Output:'))
    .option('--json [file]', 'result as JSON, to a file or standard output')
    .exitOverride();
}

async function sweep(flags: SweepFlags): Promise<void> {
  checkHasNoLoad(flags, 'bench sweep');
  const { rates, concurrencies, slo } = flags;
  if (rates !== undefined && concurrencies !== undefined) {
    throw new InputError('--rates and --concurrencies are two sweeps: give one of them.');
  }
  const loads = rates ?? concurrencies;
  if (loads === undefined && slo !== undefined) return search(flags, startRate);
  if (loads === undefined) {
    throw new InputError(
      'bench sweep needs loads: give --rates 1,2,4,8 or --concurrencies 1:64:x2; bench saturate chooses them itself.',
    );
  }
  const axis = rates === undefined ? 'concurrency' : 'rate';
  const level = slo === undefined ? undefined : limitsOf('--slo', slo);
  await showSweep(flags, 'bench sweep', axis, (signal, onPoint) =>
    runSweep(axis, loads, runnerOf(flags, axis, { signal, level }), { signal, onPoint }),
  );
}

async function saturate(flags: SaturateFlags): Promise<void> {
  checkHasNoLoad(flags, 'bench saturate');
  if (flags.slo !== undefined) return search(flags, startRate);
  const range = { usersMin: flags.from, usersMax: Math.max(flags.from, flags.maxUsers) };
  await showSweep(flags, 'bench saturate', 'concurrency', (signal, onPoint) =>
    runSaturation(range, runnerOf(flags, 'concurrency', { signal }), { signal, onPoint }),
  );
}

async function showSweep(
  flags: CapacityFlags & OutputFlags,
  command: string,
  axis: LoadAxis,
  work: (signal: AbortSignal, onPoint: (point: LoadPoint) => void) => Promise<SweepOutcome>,
): Promise<void> {
  const found = await measured(flags, command, axis, work);
  if (found === undefined) return;
  const { outcome, run } = found;
  if (outcome.knee === undefined) process.exitCode ??= 1;
  await show(flags, run, sweepTable(outcome), sweepJson(outcome));
}

/** Finds the highest rate within --slo and prints it; exit status 1 if no rate holds it. */
export async function search(
  flags: CapacityFlags & SloFlags & OutputFlags,
  firstRate: number,
): Promise<void> {
  const found = await measured(flags, 'bench slo', 'rate', (signal, onPoint) =>
    searchFor(flags, firstRate, { signal, onPoint }),
  );
  if (found === undefined) return;
  const { outcome, level } = found.outcome;
  if (outcome.holds === undefined) process.exitCode ??= 1;
  await show(
    flags,
    found.run,
    searchTable(outcome, level, flags.sloShare),
    searchJson(outcome, level, flags.sloShare),
  );
}

/** Runs with the folder of --run-dir, which gets an event for each load. */
async function measured<Outcome>(
  flags: OutputFlags,
  command: string,
  axis: LoadAxis,
  work: (signal: AbortSignal, onPoint: (point: LoadPoint) => void) => Promise<Outcome>,
): Promise<{ readonly outcome: Outcome; readonly run: RunFolder | undefined } | undefined> {
  if (typeof flags.json === 'string') await checkOutput(flags.json, 'result');
  const run = await openRun(flags, command);
  const show = showPoint(axis);
  const startMs = performance.now();
  const onPoint = (point: LoadPoint) => {
    show(point);
    run?.event((performance.now() - startMs) / 1000, 'point', pointJson(axis, point));
  };
  const outcome = await recorded(run, () => interruptible((signal) => work(signal, onPoint)));
  return outcome === undefined ? undefined : { outcome, run };
}

async function show(
  flags: CapacityFlags & OutputFlags,
  run: RunFolder | undefined,
  table: string,
  json: Record<string, unknown>,
): Promise<void> {
  const urls = [urlOf(flags).href];
  const text = async () =>
    `${JSON.stringify({ ...json, environment: await readEnvironment({ urls }) })}\n`;
  await deliver({
    print: () => (flags.json === true ? text() : table),
    write: [
      async () => {
        if (typeof flags.json === 'string') await writeOutput(flags.json, 'result', await text());
      },
      () => finishRun(run, json, { urls }),
    ],
  });
}
