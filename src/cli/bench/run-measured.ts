// What the commands that send load share: the API key, the run with progress and signals, and the exit status.
import { performance } from 'node:perf_hooks';
import { counted, InputError, plainText } from '../../core/base/index.ts';
import { endOnHurry, signalStatus, watchStopSignals } from '../../io/signals/index.ts';
import {
  createProgressDisplay,
  type LoadContext,
  type LoadOptions,
  type LoadOutcome,
  type LoadPlan,
} from '../../tools/benchmark/index.ts';

/**
 * Runs a load with progress on standard error; a stop signal ends it with what was measured.
 *
 * @param verb What the run does, for the line at its start: `Replaying`.
 * @returns undefined if it was stopped before it began.
 */
export async function runMeasured(
  options: LoadOptions,
  verb: string,
  run: (context: LoadContext) => Promise<LoadOutcome>,
): Promise<LoadOutcome | undefined> {
  const outcome = await interruptible((signal) =>
    withProgress(signal, run, (plan) =>
      process.stderr.write(plainText(planLines(options, verb, plan))),
    ),
  );
  if (outcome === undefined || process.exitCode !== undefined) return outcome;
  const { isServerGone, clientDeaths, report } = outcome;
  if (isServerGone || clientDeaths.length > 0 || report.completed === 0) process.exitCode = 1;
  return outcome;
}

/** Runs one load with a progress display. */
export async function withProgress(
  signal: AbortSignal,
  run: (context: LoadContext) => Promise<LoadOutcome>,
  onReady?: (plan: LoadPlan) => void,
): Promise<LoadOutcome> {
  const display = createProgressDisplay(process.stderr);
  try {
    return await run({
      clock: { nowSeconds: () => performance.now() / 1000 },
      signal,
      ...(onReady === undefined ? {} : { onReady }),
      onProgress: (progress) => display.update(progress),
    });
  } finally {
    display.done();
  }
}

/**
 * Does work that a stop signal ends early; a second signal ends the program. Sets the exit status of a stop.
 *
 * @returns undefined if it was stopped before it had a result.
 */
export async function interruptible<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result | undefined> {
  const signals = watchStopSignals();
  endOnHurry(signals);
  try {
    const result = await work(signals.stop);
    if (signals.stop.aborted) process.exitCode = signalStatus(signals);
    return result;
  } catch (error) {
    if (!signals.stop.aborted) throw error;
    process.exitCode = signalStatus(signals);
    return undefined;
  } finally {
    signals.release();
  }
}

/** The two ways to give a key. */
export interface KeyFlags {
  readonly apiKey?: string;
  readonly apiKeyEnv?: string;
}

/**
 * Returns the API key, by default that of the environment.
 *
 * @throws {InputError} If it is not clear which key is meant.
 */
export function apiKeyOf({ apiKey, apiKeyEnv }: KeyFlags): string | undefined {
  if (apiKey !== undefined && apiKeyEnv !== undefined) {
    throw new InputError('--api-key and --api-key-env exclude each other: give one of them.');
  }
  if (apiKey !== undefined) {
    // --api-key was the name of a variable before --api-key-env existed.
    if (/^[A-Z_][A-Z0-9_]*$/.test(apiKey) && process.env[apiKey] !== undefined) {
      throw new InputError(
        `--api-key takes the key itself; for the variable ${apiKey}, use --api-key-env ${apiKey}.`,
      );
    }
    return apiKey;
  }
  if (apiKeyEnv !== undefined && process.env[apiKeyEnv] === undefined) {
    throw new InputError(`--api-key-env ${apiKeyEnv}: the environment has no such variable.`);
  }
  return process.env[apiKeyEnv ?? 'OPENAI_API_KEY']?.trim() || undefined;
}

function planLines(
  options: LoadOptions,
  verb: string,
  { model, count, lastSeconds, tooLong }: LoadPlan,
): string {
  const { users, untilSeconds } = options;
  const seconds = untilSeconds ?? lastSeconds;
  const requests = count === undefined ? 'requests' : counted(count, 'request');
  const what =
    users === undefined
      ? `${requests}${seconds === undefined ? '' : ` over ${seconds.toFixed(1)} s`}`
      : `${untilSeconds === undefined ? requests : `requests for ${untilSeconds.toFixed(1)} s`} from ${counted(users, 'user')}`;
  const scale =
    options.timeScale === 1
      ? ''
      : ` The engines run ${options.timeScale} times as fast as their GPUs; results are in GPU time.`;
  const warning =
    tooLong === 0
      ? ''
      : `warning: ${counted(tooLong, 'request')} ${tooLong === 1 ? 'is' : 'are'} longer than ${model.tokensMax} tokens, the model's limit; the server will refuse ${tooLong === 1 ? 'it' : 'them'}.\n`;
  return `${verb} ${what} against ${model.id}.${scale}\n${warning}`;
}
