// The flags that say which prompts a benchmark sends, and how many, by the names of `vllm bench serve`.
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { TimeUnit } from '../../core/traces/index.ts';
import { datasetNames } from '../../tools/benchmark/index.ts';
import { collect } from '../arguments/lists.ts';
import {
  integer,
  nonNegativeInteger,
  number,
  positive,
  positiveInteger,
} from '../arguments/numbers.ts';
import { jsonObject } from './json-object.ts';

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

/** The dataset and its settings. */
export interface DatasetFlags {
  readonly datasetName: (typeof datasetChoices)[number];
  readonly datasetPath?: string;
  readonly numPrompts?: number;
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
}

export function addDatasetFlags(command: Command): Command {
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
