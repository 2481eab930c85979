// `spillway calibrate`: fits the engine model to an engine.
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { calibrationFile } from '../../io/profile/index.ts';
import { type Calibration, calibrate, calibrationText } from '../../tools/calibrate/index.ts';
import { positive, whole } from '../number-arguments.ts';
import { writeOutput } from '../write-output.ts';

/** The command `calibrate`. */
export function calibrateCommand(): Command {
  return new Command('calibrate')
    .description(
      'Fit the engine model’s free constants to measurements of an engine, and write them for --profile.',
    )
    .requiredOption('--model <name>', 'model of the catalogue, or a folder with config.json')
    .requiredOption('--gpu <name>', 'GPU of the catalogue, a YAML file, or an entry')
    .option('--tensor-parallel-size <n>', 'GPUs of the engine', whole, 1)
    .option('--tables <directory>', 'measured step tables (attention.csv, dense.csv, …)')
    .option('--steps <file>', 'CSV: prefill_tokens,prefill_context,decodes,decode_context,time_us')
    .option('--bench <file...>', 'results of vllm bench serve or spillway bench, as JSON')
    .option('--metrics-url <url>', 'a live engine, which must have traffic meanwhile')
    .option('--window <seconds>', 'how long a live engine is watched', positive, 60)
    .option('--interval <seconds>', 'between two readings of /metrics', positive, 2)
    .option('--max-num-seqs <n>', 'as the engine was started (default: vLLM’s)', whole)
    .option('--max-num-batched-tokens <n>', 'as the engine was started (default: vLLM’s)', whole)
    .option('--num-gpu-blocks-override <n>', 'KV blocks (default: computed)', whole)
    .option('--out <file>', 'profile file to write; must end in .json', toJsonName)
    .option('--json', 'the profile file on standard output')
    .exitOverride()
    .action(run);
}

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
}

/** Exit status after Ctrl-C, as shells have it: 128 + SIGINT. */
const interruptedStatus = 130;

async function run(flags: CalibrateFlags): Promise<void> {
  const { window, interval, numGpuBlocksOverride, bench = [], ...rest } = flags;
  // Minutes of watching must not end at a folder that is not there.
  if (flags.out !== undefined) await checkFolder(flags.out);
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal);
  const bar = process.stderr.isTTY;
  let calibration: Calibration;
  try {
    calibration = await calibrate({
      ...rest,
      ...{ bench, windowSeconds: window, intervalSeconds: interval, signal: stop.signal },
      numGpuBlocks: numGpuBlocksOverride,
      onProgress: bar
        ? (share) => process.stderr.write(`\r\x1b[2Kfitting ${Math.round(share * 100)} %`)
        : undefined,
    });
    // The fit holds the thread: let a signal that came meanwhile be heard before anything is written.
    await setImmediate();
    stop.signal.throwIfAborted();
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.stderr.write('interrupted: nothing was written\n');
    process.exitCode = interruptedStatus;
    return;
  } finally {
    if (bar) process.stderr.write('\r\x1b[2K');
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
  }
  const { layout, result, sources } = calibration;
  const text = `${JSON.stringify(calibrationFile(layout, result, sources), undefined, 1)}\n`;
  process.stdout.write(flags.json ? text : calibrationText(calibration));
  if (flags.out === undefined) return;
  await writeOutput(flags.out, 'profile', text);
}

async function checkFolder(file: string): Promise<void> {
  const folder = await stat(dirname(file)).catch(() => undefined);
  if (folder?.isDirectory()) return;
  throw new InputError(`Cannot write the profile to ${file}: there is no folder ${dirname(file)}.`);
}

function toJsonName(text: string): string {
  if (text.endsWith('.json')) return text;
  throw new InvalidArgumentError('It must end in .json, by which --profile knows such a file.');
}
