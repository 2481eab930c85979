// The interface through which a route writes tokens, and the common start of every form of
// response.
import {
  ApiError,
  EngineRefusal,
  sseDone,
  sseEvent,
  type UsageCounts,
} from '../../../core/api/index.ts';
import type { Exchange } from '../http/exchange.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import type { GeneratedSequence, TokenDelta } from '../sequences/generated-sequence.ts';
import { thinkingEnd } from '../text/thinking.ts';

/** A response in progress: whole or streamed. */
export interface ResponseWriter {
  /** Called when all choices are queued, in the order of their indexes. */
  start(sequences: readonly GeneratedSequence[]): void;
  onDelta(choice: number, delta: TokenDelta): void;
}

/**
 * Ends an incomplete response as vLLM does when its engine process dies: with an error object,
 * which in a stream is the last event.
 */
export function failResponse(exchange: Exchange): void {
  const error = new ApiError(
    500,
    'InternalServerError',
    'EngineCore encountered an issue. See stack trace (above) for the root cause.',
  );
  const { response } = exchange;
  if (response.writableEnded || response.destroyed) return;
  if (!response.headersSent) exchange.sendJson(error.httpStatus, error.body());
  else exchange.end(sseEvent(error.body()) + sseDone);
}

/** Starts a response; if it is a stream, a refusal by the engine is sent as an event. */
export async function refusingInStream(
  exchange: Exchange,
  isStream: boolean,
  start: () => void | Promise<void>,
): Promise<void> {
  try {
    await start();
  } catch (error) {
    if (!isStream || !(error instanceof EngineRefusal)) throw error;
    exchange.openStream();
    exchange.end(sseEvent(error.body()) + sseDone);
  }
}

export interface ResponseContext<R> {
  /** With its prefix: `chatcmpl-…`. */
  readonly id: string;
  readonly engine: EmbeddedEngine;
  readonly exchange: Exchange;
  readonly request: R;
  /** Total over all prompts. */
  readonly promptTokens: number;
  /** The text of the prompt, if the client requested it. */
  readonly promptText?: string | null;
  /** Whether the choices belong to several conversations; vLLM reports no cache figures for a batch. */
  readonly isBatch?: boolean;
  /** The conversation that each choice of a batch continues. */
  readonly roles?: readonly string[];
  /** Whether only the last piece of each choice is kept. */
  readonly tellsLastAlone?: boolean;
  /** Whether every choice starts with reasoning. */
  readonly thinks?: boolean;
}

/**
 * Sends comments while a stream is silent, so that proxies do not consider it dead, if
 * `--sse-keep-alive-interval` is set. vLLM has it for chat and completions only.
 */
export function keepStreamAlive(engine: EmbeddedEngine, exchange: Exchange): void {
  const seconds = engine.options.sseKeepAliveSeconds ?? 0;
  if (seconds > 0) exchange.keepAlive(seconds * 1000);
}

/** Unix seconds, as in every response. */
export function createdSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** Counts each prompt once and the output of all choices; cache figures are summed over the prompts. */
export function usageOf(
  {
    engine,
    promptTokens,
    request,
  }: Pick<ResponseContext<unknown>, 'engine' | 'promptTokens' | 'request'>,
  sequences: readonly GeneratedSequence[],
): UsageCounts {
  const firsts = sequences.filter((_, i) => i % (sequences[0]?.choices ?? 1) === 0);
  const cached = firsts.reduce((total, { cachedTokens }) => total + cachedTokens, 0);
  const { blockSize } = engine.options.config;
  const inBlocks = firsts.reduce(
    (total, sequence) => total + Math.floor(sequence.promptTokens / blockSize) * blockSize,
    0,
  );
  // A beam search is many requests, for which vLLM reports no cache figures.
  const isBeam = (request as { readonly use_beam_search?: unknown }).use_beam_search === true;
  const details = engine.options.enablePromptTokensDetails === true && !isBeam;
  return {
    promptTokens,
    completionTokens: sequences.reduce((total, { output }) => total + output.length, 0),
    cachedTokens: details ? cached : undefined,
    createdCacheTokens: details ? Math.max(0, inBlocks - cached) : undefined,
  };
}

/** Tokens before the end-of-reasoning mark; undefined without a reasoning parser. */
export function reasoningTokens(
  { engine, thinks }: Pick<ResponseContext<unknown>, 'engine' | 'thinks'>,
  sequences: readonly GeneratedSequence[],
): number | undefined {
  if (engine.options.reasoningParser === undefined) return undefined;
  if (thinks !== true) return 0;
  const endToken = engine.tokenizer.tokenId(thinkingEnd);
  return sequences.reduce((total, { output }) => {
    const at = endToken === undefined ? -1 : output.indexOf(endToken);
    return total + (at === -1 ? output.length : at);
  }, 0);
}

/** Usage in the form of chat responses, with reasoning tokens. */
export function chatUsageOf(
  head: ResponseContext<unknown>,
  sequences: readonly GeneratedSequence[],
): UsageCounts {
  const usage = { ...usageOf(head, sequences), reasoningTokens: reasoningTokens(head, sequences) };
  return head.isBatch ? { ...usage, cachedTokens: undefined, reasoningTokens: undefined } : usage;
}

/** Adds the headers that describe the engine; call it before the response head is sent. */
export function setLoadHeaders({
  engine,
  exchange,
}: Pick<ResponseContext<unknown>, 'engine' | 'exchange'>): void {
  if (engine.isBehind) {
    exchange.response.setHeader('x-spillway-lag-seconds', engine.lagSeconds.toFixed(3));
  }
  const format = exchange.header('endpoint-load-metrics-format')?.toUpperCase();
  if (format !== 'JSON' && format !== 'TEXT') return;
  const { waiting, kvUsage } = engine.stats();
  const metrics = [
    ['num_requests_waiting', waiting],
    ['kv_cache_usage_perc', kvUsage],
  ] as const;
  const spelled = metrics.map(([name, value]) => {
    const number = Number.isInteger(value) ? `${value}.0` : `${value}`;
    return format === 'JSON' ? `"${name}": ${number}` : `named_metrics.${name}=${number}`;
  });
  const text =
    format === 'JSON' ? `{"named_metrics": {${spelled.join(', ')}}}` : spelled.join(', ');
  exchange.response.setHeader('endpoint-load-metrics', `${format} ${text}`);
}
