// `spillway calibrate`: fits the engine model to an engine.
import { Command, InvalidArgumentError, Option } from 'commander';
import { checkOutput, writeOutput } from '../../io/files/index.ts';
import { calibrationFile } from '../../io/profile/index.ts';
import {
  endOnHurry,
  InterruptedError,
  signalStatus,
  signalsHeard,
  watchStopSignals,
} from '../../io/signals/index.ts';
import {
  type Calibration,
  calibrate,
  calibrationText,
  worseText,
} from '../../tools/calibrate/index.ts';
import { positiveInteger } from '../arguments/numbers.ts';
import { duration, durationWithUnit, humanCount } from '../arguments/quantities.ts';
import { deliver } from '../deliver.ts';
import { endInterrupted } from '../ended-by-ctrl-c.ts';

/** The command `calibrate`. */
export function calibrateCommand(): Command {
  return new Command('calibrate')
    .description(
      'Fit the engine model’s free constants to measurements of an engine, and write them for --profile.',
    )
    .requiredOption('--model <name>', 'catalogue name, or a folder with config.json')
    .requiredOption('--gpu <name>', 'catalogue name, YAML file or JSON entry of the GPU')
    .option('--tensor-parallel-size <n>', 'number of GPUs of the engine', positiveInteger, 1)
    .option('--tables <directory>', 'measured step tables (attention.csv, dense.csv, …)')
    .option('--steps <file>', 'CSV: prefill_tokens,prefill_context,decodes,decode_context,time_us')
    .option('--bench <file...>', 'results of vllm bench serve or spillway bench, as JSON')
    .option('--metrics-url <url>', 'URL of a live engine, which needs traffic meanwhile')
    .addOption(
      new Option('--window <duration>', 'how long a live engine is observed, such as 90s or 5m')
        .argParser(durationWithUnit)
        .default(durationWithUnit('60s'), '60s'),
    )
    .option(
      '--interval <duration>',
      'interval between scrapes of /metrics, in seconds or with a unit',
      duration('s'),
      2,
    )
    .option(
      '--max-num-seqs <n>',
      'setting of the measured engine (default: vLLM’s)',
      positiveInteger,
    )
    .option(
      '--max-num-batched-tokens <n>',
      'setting of the measured engine (default: vLLM’s)',
      humanCount,
    )
    .option('--num-gpu-blocks-override <n>', 'KV blocks (default: computed)', positiveInteger)
    .option('--out <file>', 'profile file to write; must end in .json', toJsonName)
    .option('--json', 'the profile file on standard output')
    .option(
      '--force',
      'write the profile even if it is worse than the shipped constants on held-out measurements',
    )
    .exitOverride()
    .action(run);
}

/** Exit status of a fit that is not written because it is worse than the shipped constants. */
const worseStatus = 1;

interface CalibrateFlags {
  readonly model: string;
  readonly gpu: string;
  readonly tensorParallelSize: number;
  readonly tables?: string;
  readonly steps?: string;
  readonly bench?: readonly string[];
  readonly metricsUrl?: string;
  readonly window: number;
  readonly interval: number;
  readonly maxNumSeqs?: number;
  readonly maxNumBatchedTokens?: number;
  readonly numGpuBlocksOverride?: number;
  readonly out?: string;
  readonly json?: true;
  readonly force?: true;
}

async function run(flags: CalibrateFlags): Promise<void> {
  const { window, interval, numGpuBlocksOverride, bench = [], ...rest } = flags;
  // Checks the folder before minutes of observation.
  if (flags.out !== undefined) await checkOutput(flags.out, 'profile');
  const signals = watchStopSignals();
  endOnHurry(signals);
  const bar = process.stderr.isTTY;
  let calibration: Calibration;
  try {
    calibration = await calibrate({
      ...rest,
      ...{ bench, windowSeconds: window, intervalSeconds: interval, signal: signals.stop },
      numGpuBlocks: numGpuBlocksOverride,
      onProgress: bar
        ? (share) => process.stderr.write(`\r\x1b[2Kfitting ${Math.round(share * 100)} %`)
        : undefined,
    });
    // The fit blocks the thread; a SIGTERM that arrived meanwhile is handled before anything is written.
    await signalsHeard();
    signals.stop.throwIfAborted();
  } catch (error) {
    if (!signals.stop.aborted && !(error instanceof InterruptedError)) throw error;
    const status = signals.stop.aborted ? signalStatus(signals) : undefined;
    endInterrupted('no profile was written', status);
  } finally {
    if (bar) process.stderr.write('\r\x1b[2K');
    signals.release();
  }
  const { layout, result, sources } = calibration;
  const text = `${JSON.stringify(calibrationFile(layout, result, sources), undefined, 1)}\n`;
  const worse = worseText(calibration);
  const isRefused = worse !== undefined && !flags.force;
  const isWanted = flags.out !== undefined || flags.json === true;
  if (isRefused && isWanted) process.exitCode = worseStatus;
  await deliver({
    print: () => (!flags.json ? calibrationText(calibration) : isRefused ? '' : text),
    write: [
      async () => {
        if (flags.out !== undefined && !isRefused) await writeOutput(flags.out, 'profile', text);
      },
    ],
    note: worse && `spillway: ${worse}${isRefused ? adviceFor(isWanted) : ''}\n`,
  });
}

function adviceFor(isWanted: boolean): string {
  return isWanted
    ? ' Nothing was written; add measurements, or write it anyway with --force.'
    : ' To write it anyway, use --force.';
}

function toJsonName(text: string): string {
  if (text.endsWith('.json')) return text;
  throw new InvalidArgumentError('It must end in .json, as --profile expects.');
}
