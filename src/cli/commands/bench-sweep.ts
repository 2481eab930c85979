// `spillway bench sweep` and `bench saturate`: the same load at ever higher rates, or from ever more users.
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import {
  runSaturation,
  runSweep,
  type SweepOutcome,
  searchJson,
  searchTable,
  sweepJson,
  sweepTable,
} from '../../tools/capacity/index.ts';
import { readEnvironment } from '../../tools/environment/index.ts';
import { positive, positiveInteger } from '../arguments/numbers.ts';
import { addSloFlags, loadList, type SloFlags } from '../bench/capacity-flags.ts';
import {
  type CapacityFlags,
  checkHasNoLoad,
  runnerOf,
  searchFor,
  showPoint,
} from '../bench/run-capacity.ts';
import { checkWritable, interruptible } from '../bench/run-measured.ts';
import { addLoadFlags, addTargetFlags } from '../bench/serve-flags.ts';
import { limitsOf, urlOf } from '../bench/serve-options.ts';

interface OutputFlags {
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
  const command = new Command('sweep')
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
  return withOutput(addSloFlags(addLoadFlags(addTargetFlags(command)))).action(sweep);
}

/** The command `bench saturate`. */
export function saturateCommand(): Command {
  const command = new Command('saturate')
    .description(
      'Double the number of users until the throughput no longer grows, and find how many are enough. With --slo, find the highest rate within a service level.',
    )
    .optionsGroup('Saturation:')
    .option('--from <n>', 'first number of users', positiveInteger, 1)
    .option('--max-users <n>', 'highest number of users', positiveInteger, 1024);
  return withOutput(addSloFlags(addLoadFlags(addTargetFlags(command)))).action(saturate);
}

function withOutput(command: Command): Command {
  return command
    .optionsGroup('Output:')
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
  await showSweep(flags, (signal) =>
    runSweep(axis, loads, runnerOf(flags, axis, { signal, level }), {
      signal,
      onPoint: showPoint(axis),
    }),
  );
}

async function saturate(flags: SaturateFlags): Promise<void> {
  checkHasNoLoad(flags, 'bench saturate');
  if (flags.slo !== undefined) return search(flags, startRate);
  const range = { usersMin: flags.from, usersMax: Math.max(flags.from, flags.maxUsers) };
  await showSweep(flags, (signal) =>
    runSaturation(range, runnerOf(flags, 'concurrency', { signal }), {
      signal,
      onPoint: showPoint('concurrency'),
    }),
  );
}

async function showSweep(
  flags: CapacityFlags & OutputFlags,
  run: (signal: AbortSignal) => Promise<SweepOutcome>,
): Promise<void> {
  const outcome = await measured(flags, run);
  if (outcome === undefined) return;
  if (outcome.knee === undefined) process.exitCode ??= 1;
  await show(flags, sweepTable(outcome), sweepJson(outcome));
}

/** Finds the highest rate within --slo and prints it; exit status 1 if no rate holds it. */
export async function search(
  flags: CapacityFlags & SloFlags & OutputFlags,
  firstRate: number,
): Promise<void> {
  const found = await measured(flags, (signal) => searchFor(flags, firstRate, signal));
  if (found === undefined) return;
  const { outcome, level } = found;
  if (outcome.holds === undefined) process.exitCode ??= 1;
  await show(
    flags,
    searchTable(outcome, level, flags.sloShare),
    searchJson(outcome, level, flags.sloShare),
  );
}

async function measured<Result>(
  { json }: OutputFlags,
  run: (signal: AbortSignal) => Promise<Result>,
): Promise<Result | undefined> {
  if (typeof json === 'string') await checkWritable(json);
  return interruptible(run);
}

async function show(
  flags: CapacityFlags & OutputFlags,
  table: string,
  json: Record<string, unknown>,
): Promise<void> {
  if (flags.json === undefined) {
    process.stdout.write(table);
    return;
  }
  const environment = await readEnvironment({ urls: [urlOf(flags).href] });
  const text = `${JSON.stringify({ ...json, environment })}\n`;
  process.stdout.write(flags.json === true ? text : table);
  if (typeof flags.json === 'string') await writeFile(flags.json, text);
}
