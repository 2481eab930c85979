// Queues the sequences of one request and connects them to its response and its client.
import { badRequest, inEngine, type SamplingRead, stopStrings } from '../../../core/api/index.ts';
import type { Exchange } from '../http/exchange.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';
import { kvTransferOf } from '../sequences/kv-transfer.ts';
import { sequenceRoom } from '../sequences/sequence-room.ts';
import type { Script } from '../sequences/token-source.ts';
import { batchDeltas } from './delta-batch.ts';
import { checkMultiplied, checkReadTokens } from './request-bounds.ts';
import { traceRequest } from './request-spans.ts';
import { failResponse, type ResponseWriter } from './response-writer.ts';

export interface PromptPlan {
  readonly tokens: readonly number[];
  readonly maxTokens: number;
  /** Tokens of which the response consists, if they are fixed. */
  readonly script?: Script | undefined;
  /** Whether the prompt is only computed, for a vector or a score. */
  readonly isPooled?: boolean | undefined;
  /** Whether reasoning comes first. */
  readonly thinks?: boolean | undefined;
}

/**
 * Choices are numbered prompt by prompt, as the API specifies.
 *
 * @returns A function that ends the generation, as a client disconnect does.
 */
export function startGeneration(options: {
  readonly engine: EmbeddedEngine;
  readonly exchange: Exchange;
  readonly id: string;
  readonly prompts: readonly PromptPlan[];
  readonly request: SamplingRead & {
    readonly model?: string | null | undefined;
    readonly use_beam_search?: boolean | null | undefined;
    readonly echo?: boolean | null | undefined;
  };
  readonly isStream: boolean;
  readonly writer: ResponseWriter;
  /** For a generation that continues without its client: called when the engine fails it. */
  readonly background?: { readonly onFail: () => void } | undefined;
}): () => void {
  const { engine, exchange, id, prompts, writer } = options;
  const isBeam = options.request.use_beam_search === true;
  const request = isBeam ? beamRequest(options.request) : options.request;
  if (!isBeam) inEngine(() => checkDataParallelRank(exchange));
  // A beam search without steps ends with its initial beam.
  const isEmpty = isBeam && prompts.every(({ maxTokens }) => maxTokens < 1);
  const choices = isEmpty ? 1 : (request.n ?? 1);
  checkMultiplied({ ...request, n: choices }, prompts.length);
  const { echo, return_token_ids: returnsIds } = options.request;
  checkReadTokens(prompts, { n: choices, repeats: echo === true || returnsIds === true });
  engine.checkAdmission(choices * prompts.length);
  // Beams are known only when the search ends, so each is sent in one piece.
  const interval = isBeam
    ? Number.POSITIVE_INFINITY
    : options.isStream
      ? (request.stream_interval ?? engine.options.streamInterval ?? 1)
      : 1;
  const adapter = engine.adapters.find(options.request.model);
  const arrivalSeconds = engine.nowSeconds();
  const room = roomFor(exchange, choices * prompts.length, options.background !== undefined);
  const sequences = prompts.flatMap((prompt, promptIndex) => {
    const family = { choices, finished: 0, longestTokens: 0 };
    // Only the completions route numbers prompts for clients.
    const externalId = id.startsWith('cmpl-') ? `${id}-${promptIndex}` : id;
    return Array.from({ length: choices }, (_, choice) => {
      const index = promptIndex * choices + choice;
      return engine.generate({
        id: `${id}-${index}`,
        ...{ externalId, family, adapter, arrivalSeconds },
        prompt: prompt.tokens,
        maxTokens: prompt.maxTokens,
        minTokens: request.min_tokens ?? 0,
        ignoreEos: request.ignore_eos ?? false,
        stops: stopStrings(request.stop),
        stopTokens: request.stop_token_ids ?? [],
        includeStop: request.include_stop_str_in_output ?? false,
        skipSpecialTokens: request.skip_special_tokens ?? true,
        priority: priorityOf(exchange, request),
        cacheSalt: request.cache_salt ?? undefined,
        transfer: kvTransferOf(request.kv_transfer_params),
        sessionId: sessionOf(exchange, request),
        reportsHits: request.vllm_xargs?.['kv_cache_report_mode'] === 'full',
        choice,
        seed: request.seed ?? undefined,
        script: prompt.script,
        thinks: prompt.thinks === true,
        isPooled: prompt.isPooled === true,
        logitBias: request.logit_bias ?? undefined,
        allowedTokens: request.allowed_token_ids ?? undefined,
        onDelta: batchDeltas(interval, (delta) => {
          if (delta.finishReason !== null) room.ended();
          writer.onDelta(index, delta);
        }),
        onFail: () => {
          room.ended();
          if (options.background) options.background.onFail();
          else failResponse(exchange);
        },
      });
    });
  });
  traceRequest({ engine, exchange, id, request, sequences });
  writer.start(sequences);
  const cancel = () => {
    for (const sequence of sequences) engine.cancel(sequence);
    room.cancelled();
  };
  if (!options.background) exchange.onDisconnect(cancel);
  return cancel;
}

/**
 * Takes room for the sequences of a request until its response is complete, or its client has left; in the background, until they have ended.
 *
 * @throws {ApiError} 503 if there is none.
 */
function roomFor(
  exchange: Exchange,
  count: number,
  isBackground: boolean,
): { readonly ended: () => void; readonly cancelled: () => void } {
  const giveBack = sequenceRoom.take(count);
  let open = count;
  if (!isBackground) exchange.onClose(giveBack);
  return {
    ended: () => {
      if (--open === 0 && isBackground) giveBack();
    },
    cancelled: giveBack,
  };
}

/** Beam search supports no other parameters; a beam has its full length unless the model ends it. */
function beamRequest(request: SamplingRead): SamplingRead {
  return {
    n: request.n,
    ignore_eos: request.ignore_eos,
    skip_special_tokens: request.skip_special_tokens,
    cache_salt: request.cache_salt,
    priority: 0,
  };
}

/** The header overrides the body; a header that is not an integer is ignored. */
function priorityOf(exchange: Exchange, request: SamplingRead): number {
  const header = exchange.header('x-vllm-priority');
  return header !== undefined && /^-?\d+$/.test(header) ? Number(header) : (request.priority ?? 0);
}

/** The body's own field takes precedence, then the header, then vLLM's extra arguments. */
function sessionOf(exchange: Exchange, request: SamplingRead): string | undefined {
  const extra = request.vllm_xargs?.['session_id'];
  return (
    request.session_id ||
    exchange.header('x-session-id') ||
    (typeof extra === 'string' && extra) ||
    undefined
  );
}

/** @throws {ApiError} 400 if the request names an engine that does not exist. */
export function checkDataParallelRank(exchange: Exchange): void {
  const rank = exchange.header('x-data-parallel-rank');
  if (rank === undefined || !/^-?\d+$/.test(rank) || Number(rank) === 0) return;
  throw badRequest(`data_parallel_rank ${rank} is out of range [0, 1).`);
}
