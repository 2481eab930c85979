// What a route hands its tokens to, and what all forms of an answer start from.
import {
  ApiError,
  EngineRefusal,
  sseDone,
  sseEvent,
  type UsageCounts,
} from '../../../core/api/index.ts';
import type { Engine } from '../engine.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Sequence, TokenDelta } from '../sequence.ts';
import { thinkingEnd } from '../text/thinking.ts';

/** An answer in the making: whole or as a stream. */
export interface Answer {
  /** All choices are queued; in the order of their indexes. */
  start(sequences: readonly Sequence[]): void;
  onDelta(choice: number, delta: TokenDelta): void;
}

/**
 * Ends an answer that will not be complete, as vLLM does when its engine process dies: an error
 * object, in a stream as its last event.
 */
export function failAnswer(exchange: Exchange): void {
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

/** Starts an answer; what the engine refuses comes as an event if it is a stream. */
export function refusingInStream(exchange: Exchange, isStream: boolean, start: () => void): void {
  try {
    start();
  } catch (error) {
    if (!isStream || !(error instanceof EngineRefusal)) throw error;
    exchange.openStream();
    exchange.end(sseEvent(error.body()) + sseDone);
  }
}

export interface AnswerHead<R> {
  /** With its prefix: `chatcmpl-…`. */
  readonly id: string;
  readonly engine: Engine;
  readonly exchange: Exchange;
  readonly request: R;
  /** Of all prompts together. */
  readonly promptTokens: number;
  /** What the tokens of the prompt were made of, where the client wants to see it. */
  readonly promptText?: string | null;
  /** The choices answer several conversations; vLLM tells no cache figures of a batch. */
  readonly isBatch?: boolean;
  /** Whose turn each choice of a batch goes on with. */
  readonly roles?: readonly string[];
  /** Of each choice its last piece stands for all. */
  readonly tellsLastAlone?: boolean;
  /** Every choice begins with reasoning. */
  readonly thinks?: boolean;
}

/** Unix seconds, as every answer carries. */
export function createdSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** Prompts once, output of all choices; cache figures summed over the prompts. */
export function usageOf(
  {
    engine,
    promptTokens,
    request,
  }: Pick<AnswerHead<unknown>, 'engine' | 'promptTokens' | 'request'>,
  sequences: readonly Sequence[],
): UsageCounts {
  const firsts = sequences.filter((_, i) => i % (sequences[0]?.choices ?? 1) === 0);
  const cached = firsts.reduce((total, { cachedTokens }) => total + cachedTokens, 0);
  const { blockSize } = engine.options.config;
  const inBlocks = firsts.reduce(
    (total, sequence) => total + Math.floor(sequence.promptTokens / blockSize) * blockSize,
    0,
  );
  // A beam search is many requests, of whose cache figures vLLM tells none.
  const isBeam = (request as { readonly use_beam_search?: unknown }).use_beam_search === true;
  const details = engine.options.enablePromptTokensDetails === true && !isBeam;
  return {
    promptTokens,
    completionTokens: sequences.reduce((total, { output }) => total + output.length, 0),
    cachedTokens: details ? cached : undefined,
    createdCacheTokens: details ? Math.max(0, inBlocks - cached) : undefined,
  };
}

/** Tokens before the mark that ends reasoning; undefined without a reasoning parser. */
export function reasoningTokens(
  { engine, thinks }: Pick<AnswerHead<unknown>, 'engine' | 'thinks'>,
  sequences: readonly Sequence[],
): number | undefined {
  if (engine.options.reasoningParser === undefined) return undefined;
  if (thinks !== true) return 0;
  const endToken = engine.tokenizer.tokenId(thinkingEnd);
  return sequences.reduce((total, { output }) => {
    const at = endToken === undefined ? -1 : output.indexOf(endToken);
    return total + (at === -1 ? output.length : at);
  }, 0);
}

/** Usage as chat answers have it, which know reasoning. */
export function chatUsageOf(
  head: AnswerHead<unknown>,
  sequences: readonly Sequence[],
): UsageCounts {
  const usage = { ...usageOf(head, sequences), reasoningTokens: reasoningTokens(head, sequences) };
  return head.isBatch ? { ...usage, cachedTokens: undefined, reasoningTokens: undefined } : usage;
}

/** Adds the headers that tell about the engine; before the answer's head is sent. */
export function setLoadHeaders({
  engine,
  exchange,
}: Pick<AnswerHead<unknown>, 'engine' | 'exchange'>): void {
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
