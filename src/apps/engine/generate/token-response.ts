// Responses of /inference/v1/generate: token ids, whole or streamed.
import {
  type GenerateRequest,
  sseDone,
  sseEvent,
  streamUsageObject,
  usageObject,
} from '../../../core/api/index.ts';
import { CollectedChoices } from '../generation/collected-choices.ts';
import { outputTokens, refusesLogprobs } from '../generation/request-bounds.ts';
import { chatLogprobs, promptLogprobs } from '../generation/response-logprobs.ts';
import {
  createdSeconds,
  type ResponseContext,
  type ResponseWriter,
  setLoadHeaders,
  usageOf,
} from '../generation/response-writer.ts';
import type { GeneratedSequence, TokenDelta } from '../sequences/generated-sequence.ts';
import { likeliest, ownLogprob } from '../text/logprobs.ts';

type Head = ResponseContext<GenerateRequest>;

export class TokenResponse implements ResponseWriter {
  readonly #head: Head;
  readonly #choices = new CollectedChoices();

  constructor(head: Head) {
    this.#head = head;
  }

  start(sequences: readonly GeneratedSequence[]): void {
    this.#choices.start(sequences);
  }

  onDelta(choice: number, delta: TokenDelta): void {
    if (this.#choices.push(choice, delta)) this.#send();
  }

  #send(): void {
    const { id, engine, exchange, request } = this.#head;
    const prompt = this.#choices.sequences[0]?.prompt ?? [];
    const { logprobs } = request.sampling_params ?? {};
    if (refusesLogprobs(exchange, outputTokens(this.#choices.sequences), logprobs)) return;
    setLoadHeaders(this.#head);
    const top = request.sampling_params?.prompt_logprobs;
    const body = {
      request_id: id,
      model: engine.responseModelName(request.model),
      created: createdSeconds(),
      usage: usageObject({
        ...usageOf(this.#head, this.#choices.sequences),
        createdCacheTokens: undefined,
      }),
      prompt_logprobs: promptLogprobs(engine.tokenizer, prompt, top),
      prompt_token_id_logprobs: null,
      prompt_token_ids: request.return_token_ids ? prompt : null,
      mm_placeholders: null,
      metrics: null,
      kv_transfer_params: null,
      ec_transfer_params: null,
      output_mode: request.output_mode ?? 'tokens',
      choices: this.#choices.sequences.map(({ output }, index) => {
        const end = { ...(this.#choices.end(index) as TokenDelta), tokenIds: output };
        return choiceObject(this.#head, index, end, this.#choices.text(index), output.length);
      }),
    };
    exchange.sendJson(200, JSON.stringify(body));
  }
}

export class TokenStream implements ResponseWriter {
  readonly #head: Head;
  readonly #includeUsage: boolean;
  readonly #continuousUsage: boolean;
  #sequences: readonly GeneratedSequence[] = [];
  #hasStarted = false;
  #open = 0;

  constructor(head: Head) {
    this.#head = head;
    const options = head.request.stream_options;
    this.#includeUsage = options?.include_usage === true;
    this.#continuousUsage = this.#includeUsage && options?.continuous_usage_stats === true;
  }

  start(sequences: readonly GeneratedSequence[]): void {
    this.#sequences = sequences;
    this.#open = sequences.length;
    setLoadHeaders(this.#head);
    this.#head.exchange.openStream();
  }

  onDelta(choice: number, delta: TokenDelta): void {
    const { exchange, request, promptTokens, id } = this.#head;
    const sequence = this.#sequences[choice] as GeneratedSequence;
    if (delta.finishReason !== null) this.#open--;
    const completionTokens = sequence.output.length;
    const counts = {
      promptTokens,
      completionTokens,
      cachedTokens: undefined,
      createdCacheTokens: undefined,
    };
    const showsPrompt = !this.#hasStarted && request.return_token_ids === true;
    this.#hasStarted = true;
    const chunk = {
      request_id: id,
      usage: this.#continuousUsage ? usageObject(counts) : null,
      ...(showsPrompt && { prompt_token_ids: sequence.prompt }),
      output_mode: request.output_mode ?? 'tokens',
      choices: [choiceObject(this.#head, choice, delta, delta.text, completionTokens)],
    };
    const event = sseEvent(JSON.stringify(chunk));
    if (this.#open > 0) exchange.write(event);
    else exchange.end(event + (this.#includeUsage ? this.#usageChunk() : '') + sseDone);
  }

  #usageChunk(): string {
    const counts = { ...usageOf(this.#head, this.#sequences), createdCacheTokens: undefined };
    const { id, request } = this.#head;
    const chunk = {
      request_id: id,
      usage: streamUsageObject(counts),
      output_mode: request.output_mode ?? 'tokens',
      choices: [],
    };
    return sseEvent(JSON.stringify(chunk));
  }
}

/** @param tokens Tokens of the whole choice so far; at its end the weights' version covers them. */
function choiceObject(
  head: Head,
  index: number,
  { tokenIds, finishReason, stopReason }: TokenDelta,
  text: string,
  tokens: number,
): object {
  const isText = head.request.output_mode === 'text';
  const spans = finishReason === null ? null : [{ version: 'default', start: 0, end: tokens }];
  return {
    index,
    finish_reason: finishReason,
    stop_reason: stopReason,
    token_ids: tokenIds,
    routed_experts: null,
    sampling_mask: null,
    weight_versions: spans,
    ...(isText && { text }),
    logprobs: logprobsOf(head, tokenIds, isText),
  };
}

function logprobsOf(
  { engine, request }: Head,
  tokenIds: readonly number[],
  isText: boolean,
): object | null {
  const top = request.sampling_params?.logprobs;
  if (top == null) return null;
  const { tokenizer } = engine;
  if (isText) {
    return chatLogprobs(tokenizer, { logprobs: true, top_logprobs: Math.max(top, 1) }, tokenIds);
  }
  return {
    content: tokenIds.map((tokenId) => ({
      token_id: tokenId,
      logprob: ownLogprob(tokenizer, tokenId).logprob,
      rank: 1,
      top_logprobs: likeliest(tokenizer, tokenId, Math.max(top, 1)).map((one, i) => ({
        token_id: one.tokenId,
        logprob: one.logprob,
        rank: i + 1,
      })),
    })),
  };
}
