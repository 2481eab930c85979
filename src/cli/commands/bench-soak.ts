// `spillway bench soak`: one load for hours, and whether the server gets slower, larger or worse.
import { performance } from 'node:perf_hooks';
import type { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import type { ServiceLevel } from '../../core/stats/index.ts';
import { checkOutput, writeOutput } from '../../io/files/index.ts';
import { runServe } from '../../tools/benchmark/index.ts';
import {
  driftMaxDefault,
  runSoak,
  type SoakOutcome,
  serverMemory,
  soakJson,
  soakTable,
  windowJson,
} from '../../tools/capacity/index.ts';
import { readEnvironment } from '../../tools/environment/index.ts';
import type { RunFolder } from '../../tools/runs/index.ts';
import { duration } from '../arguments/quantities.ts';
import { share } from '../bench/capacity-flags.ts';
import { addClientsFlag } from '../bench/measurement-flags.ts';
import { preparesLoad } from '../bench/prepare-load.ts';
import { addRunDirFlag, finishRun, openRun, type RunDirFlags, recorded } from '../bench/run-dir.ts';
import { interruptible, withProgress } from '../bench/run-measured.ts';
import { addLoadFlags, type LoadFlags } from '../bench/serve-flags.ts';
import { serveOptions, trafficOf, urlOf } from '../bench/serve-options.ts';
import { addTargetFlags, type TargetFlags } from '../bench/target-flags.ts';
import { VllmBenchCommand } from '../bench/vllm-bench-arguments.ts';
import { deliver } from '../deliver.ts';

interface SoakFlags extends LoadFlags, TargetFlags, RunDirFlags {
  readonly window?: number;
  readonly drift: number;
  readonly json?: string | true;
}

/** Windows of a soak, if --window is not given: enough for a trend, and long enough for a percentile. */
const windowsDefault = 60;
/** Duration without --duration, in seconds. */
const soakSecondsDefault = 3600;

/** Exit statuses by verdict. */
const statuses = { stable: 0, drifts: 1, 'not enough data': 3 } as const;

/** The command `bench soak`. */
export function soakCommand(): Command {
  const command = preparesLoad(new VllmBenchCommand('soak')).description(
    'Run one load for long (--duration, by default an hour) and test whether latencies, failures or the memory of the server grow. Exit status 0: stable, 1: drifts, 3: not enough data.',
  );
  addClientsFlag(addLoadFlags(addTargetFlags(command)))
    .optionsGroup('Soak:')
    .option(
      '--window <duration>',
      'length of a window, whose figures are one value (default: a sixtieth of the duration)',
      duration('s'),
    )
    .option('--drift <share>', 'change over the soak that does not matter', share, driftMaxDefault)
    .optionsGroup('Output:');
  return addRunDirFlag(command)
    .option('--json [file]', 'result as JSON, to a file or standard output')
    .exitOverride()
    .action(soak);
}

async function soak(flags: SoakFlags): Promise<void> {
  if (flags.numPrompts !== undefined) {
    throw new InputError('bench soak ends by its time: give --duration instead of --num-prompts.');
  }
  if (flags.users === undefined && !Number.isFinite(flags.requestRate)) {
    throw new InputError('bench soak needs a load: give --request-rate or --users.');
  }
  const { json, duration: seconds = soakSecondsDefault } = flags;
  if (typeof json === 'string') await checkOutput(json, 'result');
  const run = await openRun(flags, 'bench soak');
  const outcome = await recorded(run, () =>
    interruptible((signal) => measured({ ...flags, duration: seconds }, { signal, run })),
  );
  if (outcome === undefined) return;
  process.exitCode ??= statuses[outcome.verdict];
  const urls = [urlOf(flags).href];
  const text = async () => {
    const environment = await readEnvironment({ urls });
    return `${JSON.stringify({ ...soakJson(outcome), environment })}\n`;
  };
  await deliver({
    print: () => (json === true ? text() : soakTable(outcome)),
    write: [
      async () => {
        if (typeof json === 'string') await writeOutput(json, 'result', await text());
      },
      () => finishRun(run, soakJson(outcome), { urls }),
    ],
  });
}

function measured(
  flags: SoakFlags & { readonly duration: number },
  { signal, run }: { readonly signal: AbortSignal; readonly run: RunFolder | undefined },
): Promise<SoakOutcome> {
  const options = serveOptions(flags, urlOf(flags), new Date());
  const traffic = trafficOf(flags, flags.endpoint);
  const wallSeconds = flags.duration / flags.timeScale;
  const limits = hasLimit(options.limits) ? options.limits : undefined;
  return runSoak(
    { windowSeconds: flags.window ?? wallSeconds / windowsDefault, limits, driftMax: flags.drift },
    {
      clock: { nowSeconds: () => performance.now() / 1000 },
      signal,
      serverBytes: () => serverMemory(options.url),
      onWindow: (window) => run?.event(window.startSeconds, 'window', windowJson(window)),
      runLoad: async (onRecord) => {
        await withProgress(signal, (context) =>
          runServe(options, traffic, {
            ...context,
            onRecord: (record) => {
              onRecord(record);
              run?.response(record);
            },
            keepsRecords: false,
          }),
        );
      },
    },
  );
}

function hasLimit(limits: ServiceLevel): boolean {
  return Object.values(limits).some((limit) => limit !== undefined);
}
