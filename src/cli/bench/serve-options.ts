// From the flags of a benchmark to its traffic and its measurement.
import { InputError, withoutUndefined } from '../../core/base/index.ts';
import type { ServiceLevel } from '../../core/stats/index.ts';
import type { SendRate } from '../../core/workload/index.ts';
import {
  isConversational,
  loadApis,
  type PromptApi,
  type ServeOptions,
  type ServeTraffic,
} from '../../tools/benchmark/index.ts';
import { durationIn } from '../arguments/quantities.ts';
import { apiKeyOf } from './run-measured.ts';
import type { LoadFlags } from './serve-flags.ts';
import type { TargetFlags } from './target-flags.ts';

/** Number of requests of `--duration` that differ in length; they are repeated with other words until its end. */
const lapRequestsMax = 10_000;
/** Number of requests of a trace, or of a ramp, that `--duration` ends. */
const requestsPerDurationMax = 100_000;

/** Tokens of a question: upstream's has about 20 (`"Here is question #3: can you tell me a new long story …"`). */
const questionTokens = 20;

const apisOfBackends: Readonly<Record<LoadFlags['backend'], PromptApi>> = {
  openai: 'completions',
  vllm: 'completions',
  'openai-chat': 'chat',
  'openai-responses': 'responses',
  anthropic: 'messages',
  'openai-embeddings': 'embeddings',
};

/** @returns The base URL of the API, ending in /v1 unless the URL has another path. */
export function urlOf({ url, baseUrl, host, port: number }: TargetFlags): URL {
  if (url !== undefined && baseUrl !== undefined) {
    throw new InputError('--url and --base-url are the same: give one of them.');
  }
  return apiBase(url ?? baseUrl ?? urlOfHost(host, number));
}

/** @throws {InputError} If it is no name or address of a host. */
function urlOfHost(host: string, number: number): URL {
  const text = `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${number}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.pathname !== '/' || url.username !== '') {
    throw new InputError(
      `--host is "${host}"; it must be a name or an address, such as 127.0.0.1. Give a URL with --url.`,
    );
  }
  return url;
}

/** @example apiBase(new URL('http://127.0.0.1:8000')).href; // http://127.0.0.1:8000/v1 */
export function apiBase(url: URL): URL {
  if (url.pathname !== '/') return url;
  const base = new URL(url);
  base.pathname = '/v1';
  return base;
}

/** Returns what is sent. @throws {InputError} If flags contradict each other. */
export function trafficOf(flags: LoadFlags, endpoint?: string): ServeTraffic {
  const api = apiOf(flags, endpoint);
  return {
    dataset: datasetOf(flags),
    datasetPath: flags.workload ?? flags.datasetPath,
    count: countOf(flags),
    seed: flags.seed,
    api,
    tokenizer: flags.tokenizer,
    rate: rateOf(flags),
    users: flags.users,
    timeScale: flags.timeScale,
    mayEndEarly: !flags.ignoreEos,
    fields: fieldsOf(flags, api),
    random: {
      prefixTokens: flags.randomPrefixLen,
      inputTokens: flags.inputLen ?? flags.randomInputLen,
      outputTokens: flags.outputLen ?? flags.randomOutputLen,
      rangeRatio: flags.randomRangeRatio.input,
      outputRangeRatio: flags.randomRangeRatio.output,
    },
    prefixRepetition: {
      prefixes: flags.prefixRepetitionNumPrefixes,
      prefixTokens: flags.prefixRepetitionPrefixLen,
      suffixTokens: flags.prefixRepetitionSuffixLen,
      outputTokens: flags.outputLen ?? flags.prefixRepetitionOutputLen,
    },
    textOutputTokens: textOutputTokens(flags),
    folderPart: { subset: flags.hfSubset, split: flags.hfSplit },
    category: flags.specBenchCategory,
    isInOrder: flags.disableShuffle,
    isOnce: !flags.oversample,
    skipsTemplate: flags.skipChatTemplate,
    templateArguments: flags.chatTemplateKwargs,
    sonnet: {
      inputTokens: flags.inputLen ?? flags.sonnetInputLen,
      outputTokens: flags.outputLen ?? flags.sonnetOutputLen,
      prefixTokens: flags.sonnetPrefixLen,
    },
    ...traceOf(flags),
    workloadSets: flags.setWorkload,
    multiRoundQa: {
      users: flags.numUsers,
      rounds: flags.numRounds,
      qps: flags.qps,
      sharedSystemPrompt: flags.sharedSystemPrompt,
      userHistoryPrompt: flags.userHistoryPrompt,
      question: questionTokens,
      answerLen: flags.answerLen,
    },
    end: { requests: flags.numPrompts, seconds: flags.duration },
    adapters: flags.loraModules ?? [],
    takesAdaptersInTurn: flags.loraAssignment === 'round-robin',
  };
}

/** Further fields of each body, by the names of vLLM's API. */
function fieldsOf(flags: LoadFlags, api: PromptApi): Readonly<Record<string, unknown>> {
  const { logprobs } = flags;
  const sampling = {
    temperature: flags.temperature,
    top_p: flags.topP,
    top_k: flags.topK,
    min_p: flags.minP,
    frequency_penalty: flags.frequencyPenalty,
    presence_penalty: flags.presencePenalty,
    repetition_penalty: flags.repetitionPenalty,
    ...(api === 'chat' && logprobs !== undefined
      ? { logprobs: true, top_logprobs: logprobs }
      : { logprobs }),
  };
  return { ...withoutUndefined(sampling), ...flags.extraBody };
}

/** Length of a response of a dataset of texts, as its flag gives it. */
function textOutputTokens(flags: LoadFlags): ServeTraffic['textOutputTokens'] {
  const { datasetName, outputLen, customOutputLen } = flags;
  if (outputLen !== undefined) return outputLen;
  switch (datasetName) {
    case 'custom':
      if (customOutputLen === 0) {
        throw new InputError(
          '--custom-output-len must be -1, or a number of tokens of at least 1.',
        );
      }
      return customOutputLen === -1 ? 'file' : customOutputLen;
    case 'spec_bench':
      return flags.specBenchOutputLen;
    case 'hf':
      return flags.hfOutputLen;
    default:
      return flags.sharegptOutputLen;
  }
}

/** How a trace is read, by our flag or by vLLM's. */
function traceOf(
  flags: LoadFlags,
): Pick<ServeTraffic, 'trace' | 'traceTimeFactor' | 'ignoresTraceTimes'> {
  const { traceUnit, timedTraceSecMultiplier: factor } = flags;
  if (traceUnit !== undefined && factor !== undefined) {
    throw new InputError(
      '--trace-unit and --timed-trace-sec-multiplier both give the unit of the timestamps: drop one.',
    );
  }
  const fields = {
    timestamp: flags.timedTraceLabelTimestamp,
    inputLength: flags.timedTraceLabelInputLength,
    outputLength: flags.timedTraceLabelOutputLength,
    hashIds: flags.timedTraceLabelHashIds,
  };
  return {
    trace: {
      ...{ timeUnit: factor === undefined ? traceUnit : 's', fields },
      blockTokens: flags.timedTraceChunkHashSize,
    },
    traceTimeFactor: factor,
    ignoresTraceTimes: flags.selfTimed === false,
  };
}

/** Returns how a load is measured at one server. */
export function serveOptions(flags: LoadFlags, url: URL, startedAt: Date): ServeOptions {
  return {
    url,
    model: flags.servedModelName ?? flags.model,
    apiKey: apiKeyOf(flags),
    headers: pairsOf('--header', flags.header ?? []),
    timeScale: flags.timeScale,
    concurrencyMax: flags.maxConcurrency,
    users: flags.users,
    untilSeconds: flags.duration === undefined ? undefined : flags.duration / flags.timeScale,
    refusedMax: flags.maxRefused === 0 ? undefined : flags.maxRefused,
    timeoutMs: flags.timeout * 1000,
    warmupRequests: flags.numWarmups,
    limits: limitsOf('--goodput', flags.goodput ?? []),
    clients: flags.clients,
    percentiles: flags.metricPercentiles,
    backend: flags.endpointType ?? flags.backend,
    tokenizer: flags.tokenizer,
    requestRate: flags.rampUpStrategy === undefined ? flags.requestRate : Infinity,
    burstiness: flags.burstiness,
    seed: flags.seed,
    dataset: datasetOf(flags),
    sessionHeader: flags.sessionHeader,
    metadata: {},
    latencies: flags.percentileMetrics,
    isDetailed: false,
    startedAt,
  };
}

function countOf(flags: LoadFlags): number {
  const { numPrompts, duration: seconds, requestRate, users, datasetName, rampUpStrategy } = flags;
  if (numPrompts !== undefined) return numPrompts;
  if (seconds === undefined) return 1000;
  if (['trace', 'timed_trace'].includes(datasetName) || rampUpStrategy !== undefined)
    return requestsPerDurationMax;
  const isOpen = Number.isFinite(requestRate) && users === undefined;
  return isOpen ? Math.min(Math.ceil(requestRate * seconds) + 1, lapRequestsMax) : lapRequestsMax;
}

/** @throws {InputError} If two datasets are named, or a conversation has a rate of its own. */
function datasetOf(flags: LoadFlags): ServeTraffic['dataset'] {
  const { workload, datasetName, numPrompts, duration: seconds, users } = flags;
  if (workload !== undefined && !['random', 'workload'].includes(datasetName)) {
    throw new InputError(
      `--workload and --dataset-name ${datasetName} are two datasets: give one.`,
    );
  }
  const named = datasetName === 'timed_trace' ? 'trace' : datasetName;
  const dataset = workload === undefined ? named : 'workload';
  if (dataset === 'multi-round-qa' && numPrompts === undefined && seconds === undefined) {
    throw new InputError(
      '--dataset-name multi-round-qa has no end: give --duration or --num-prompts.',
    );
  }
  const hasRate = Number.isFinite(flags.requestRate) || flags.rampUpStrategy !== undefined;
  if (isConversational({ dataset }) && (hasRate || users !== undefined)) {
    throw new InputError(
      `--dataset-name ${dataset} says itself when its requests are due: drop --request-rate, --ramp-up-strategy and --users.`,
    );
  }
  return dataset;
}

function apiOf({ backend, endpointType }: LoadFlags, endpoint: string | undefined): PromptApi {
  if (endpoint === undefined) return apisOfBackends[endpointType ?? backend];
  const found = Object.values(apisOfBackends).filter((api) =>
    endpoint.endsWith(loadApis[api].path),
  );
  // /chat/completions ends in /completions, too.
  const api = found.toSorted((a, b) => loadApis[b].path.length - loadApis[a].path.length)[0];
  if (api !== undefined) return api;
  const paths = [...new Set(Object.values(apisOfBackends).map((name) => loadApis[name].path))];
  throw new InputError(`--endpoint ${endpoint} must end in ${paths.join(', ')}.`);
}

function rateOf(flags: LoadFlags): SendRate {
  const { requestRate: rate, burstiness, users, rampUpStrategy: strategy } = flags;
  const { rampUpStartRps: startRate, rampUpEndRps: endRate } = flags;
  if (users !== undefined && (Number.isFinite(rate) || strategy !== undefined)) {
    throw new InputError('--users is a closed loop, which has no rate: drop --request-rate.');
  }
  if (strategy === undefined) {
    if (startRate === undefined && endRate === undefined) return { rate, burstiness };
    throw new InputError('--ramp-up-start-rps and --ramp-up-end-rps need --ramp-up-strategy.');
  }
  if (startRate === undefined || endRate === undefined) {
    throw new InputError(
      '--ramp-up-strategy needs --ramp-up-start-rps and --ramp-up-end-rps, in requests per second.',
    );
  }
  if (Number.isFinite(rate)) {
    throw new InputError('--ramp-up-strategy sets the rate: drop --request-rate.');
  }
  return { rate, burstiness, rampUp: { strategy, startRate, endRate } };
}

/** Reads `ttft:200 tpot:50`, vLLM’s form, and `ttft=200ms,tpot=50ms`. @throws {InputError} Naming the flag. */
export function limitsOf(flag: string, texts: readonly string[]): ServiceLevel {
  const limits: Record<string, number> = {};
  for (const text of texts.flatMap((part) => part.split(','))) {
    const [, name = '', value = ''] = /^(ttft|tpot|e2el)[:=](.+)$/.exec(text.trim()) ?? [];
    const milliseconds = durationIn(value, 'ms');
    if (!(milliseconds > 0)) {
      throw new InputError(
        `${flag} ${text} must be ttft, tpot or e2el with a number of milliseconds, such as ttft:200.`,
      );
    }
    limits[name] = milliseconds;
  }
  return { ttftMs: limits['ttft'], tpotMs: limits['tpot'], e2eMs: limits['e2el'] };
}

/** @throws {InputError} If one is not KEY=VALUE. */
export function pairsOf(flag: string, texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new InputError(`${flag} ${text} must be KEY=VALUE.`);
    }),
  );
}
