// Runs the load of the flags at one rate, or with one number of users, after another.
import { counted, InputError } from '../../core/base/index.ts';
import type { ServiceLevel } from '../../core/stats/index.ts';
import { isConversational, type LoadOutcome, runServe } from '../../tools/benchmark/index.ts';
import {
  type LoadAxis,
  type LoadPoint,
  runRateSearch,
  type SearchOutcome,
} from '../../tools/capacity/index.ts';
import type { SloFlags } from './capacity-flags.ts';
import { withProgress } from './run-measured.ts';
import type { LoadFlags } from './serve-flags.ts';
import { limitsOf, serveOptions, trafficOf, urlOf } from './serve-options.ts';
import type { TargetFlags } from './target-flags.ts';

/** Duration of one run without --duration and --num-prompts, in seconds. */
const runSecondsDefault = 20;
/** Distance of the seeds of two runs' words, so that runs of neighbouring seeds differ, too. */
const textSeedStep = 1000;
/** Rates between which a search stays, in requests per second. */
const rateRange = { rateMin: 0.01, rateMax: 100_000 };

export type CapacityFlags = LoadFlags & TargetFlags;

/** @throws {InputError} If the load has a rate, users or times of its own. */
export function checkHasNoLoad(flags: CapacityFlags, command: string): void {
  const isFixed =
    Number.isFinite(flags.requestRate) ||
    flags.users !== undefined ||
    flags.rampUpStrategy !== undefined;
  if (isFixed) {
    throw new InputError(
      `${command} chooses the load itself: drop --request-rate, --users and --ramp-up-strategy.`,
    );
  }
  if (
    isConversational({ dataset: flags.workload === undefined ? flags.datasetName : 'workload' })
  ) {
    throw new InputError(
      `${command} needs requests that wait for no response: use another dataset than conversations.`,
    );
  }
}

/**
 * Returns what runs the load of the flags at a given rate or with a number of users.
 *
 * @param level Counts good responses, instead of --goodput.
 */
export function runnerOf(
  flags: CapacityFlags,
  axis: LoadAxis,
  options: {
    readonly signal: AbortSignal;
    readonly level?: ServiceLevel | undefined;
    /** Whether each run has arrivals of its own: repeated runs must be independent. @default false */
    readonly variesArrivals?: boolean;
  },
): (load: number, number: number) => Promise<LoadOutcome> {
  const url = urlOf(flags);
  return (load, number) => {
    const hasEnd = flags.numPrompts !== undefined || flags.duration !== undefined;
    const at: CapacityFlags = {
      ...flags,
      ...(hasEnd ? {} : { duration: runSecondsDefault }),
      ...(axis === 'rate' ? { requestRate: load } : { users: load }),
      // Warm-up opens connections; after the first run they would be warm anyway.
      numWarmups: number === 0 ? flags.numWarmups : 0,
    };
    const measurement = serveOptions(at, url, new Date());
    const traffic = {
      ...trafficOf(at, at.endpoint),
      seed: options.variesArrivals ? flags.seed + number : flags.seed,
      textSeed: flags.seed + textSeedStep * (number + 1),
    };
    const limits = options.level ?? measurement.limits;
    return withProgress(options.signal, (context) =>
      runServe({ ...measurement, limits }, traffic, context),
    );
  };
}

/** Prints a line about each run on standard error. */
export function showPoint(axis: LoadAxis): (point: LoadPoint) => void {
  return ({ load, throughput, report, goodShare, isBehind }) => {
    const at =
      axis === 'rate' ? `${Number(load.toPrecision(4))} requests/s` : counted(load, 'user');
    const ttft = report.fromSent.ttft?.median;
    const parts = [
      `${throughput.toFixed(2)} completed/s`,
      ...(ttft === undefined ? [] : [`TTFT p50 ${ttft.toFixed(0)} ms`]),
      ...(goodShare === undefined
        ? []
        : [`${(100 * goodShare).toFixed(1)} % within the service level`]),
      ...(report.failed === 0 ? [] : [`${report.failed} failed`]),
      ...(isBehind ? ['falls behind'] : []),
    ];
    process.stderr.write(`${at}: ${parts.join(', ')}\n`);
  };
}

/** A search as the flags describe it. */
export interface FlaggedSearch {
  readonly outcome: SearchOutcome;
  readonly level: ServiceLevel;
}

/** Searches for the highest rate within --slo. @param startRate First rate, in requests per second. */
export async function searchFor(
  flags: CapacityFlags & SloFlags,
  startRate: number,
  context: { readonly signal: AbortSignal; readonly onPoint: (point: LoadPoint) => void },
): Promise<FlaggedSearch> {
  const { signal } = context;
  const level = limitsOf('--slo', flags.slo ?? []);
  const { sloShare, precision, maxRuns: runsMax } = flags;
  if (!(precision > 0)) throw new InputError('--precision must be above 0.');
  const outcome = await runRateSearch(
    { start: startRate, share: sloShare, precision, runsMax, ...rateRange },
    runnerOf(flags, 'rate', { signal, level, variesArrivals: true }),
    context,
  );
  return { outcome, level };
}
