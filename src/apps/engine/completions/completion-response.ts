// A non-streamed completion.
import { type CompletionRequest, usageObject } from '../../../core/api/index.ts';
import { CollectedChoices } from '../generation/collected-choices.ts';
import { keptParams } from '../generation/handed-over.ts';
import { outputTokens, refusesLogprobs } from '../generation/request-bounds.ts';
import { wholeMetrics } from '../generation/request-metrics.ts';
import { promptLogprobs } from '../generation/response-logprobs.ts';
import {
  createdSeconds,
  type ResponseContext,
  type ResponseWriter,
  setLoadHeaders,
  usageOf,
} from '../generation/response-writer.ts';
import type { GeneratedSequence, TokenDelta } from '../sequences/generated-sequence.ts';
import { completionLogprobs } from './completion-logprobs.ts';

export class CompletionResponse implements ResponseWriter {
  readonly #head: ResponseContext<CompletionRequest>;
  readonly #choices = new CollectedChoices();

  constructor(head: ResponseContext<CompletionRequest>) {
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
    if (refusesLogprobs(exchange, outputTokens(this.#choices.sequences), request.logprobs)) return;
    setLoadHeaders(this.#head);
    const body = {
      id,
      object: 'text_completion',
      created: createdSeconds(),
      model: engine.responseModelName(this.#head.request.model),
      choices: this.#choices.sequences.map((sequence, index) => this.#choice(sequence, index)),
      service_tier: null,
      system_fingerprint: engine.systemFingerprint,
      usage: usageObject({
        ...usageOf(this.#head, this.#choices.sequences),
        createdCacheTokens: undefined,
      }),
      kv_transfer_params: keptParams(engine, this.#choices.sequences),
      ec_transfer_params: null,
      metrics: wholeMetrics(engine, this.#choices.sequences),
    };
    exchange.sendJson(200, JSON.stringify(body));
  }

  #choice(sequence: GeneratedSequence, index: number): object {
    const { engine, request } = this.#head;
    const { tokenizer } = engine;
    const echoes = request.echo === true;
    // `echo` with no tokens requested: one is computed anyway, and not returned.
    const output = echoes && request.max_tokens === 0 ? [] : sequence.output;
    const text = output.length > 0 ? this.#choices.text(index) : '';
    const shown = echoes ? [...sequence.prompt, ...output] : output;
    const promptTop = request.use_beam_search
      ? null
      : (request.prompt_logprobs ?? (echoes ? request.logprobs : undefined));
    return {
      index,
      text: (echoes ? tokenizer.decode(sequence.prompt) : '') + text,
      logprobs: completionLogprobs(tokenizer, request, shown, echoes, 0),
      finish_reason: this.#choices.end(index)?.finishReason ?? null,
      stop_reason: this.#choices.end(index)?.stopReason ?? null,
      token_ids: request.return_token_ids ? sequence.output : null,
      prompt_logprobs: promptLogprobs(tokenizer, sequence.prompt, promptTop),
      prompt_token_ids: request.return_token_ids ? sequence.prompt : null,
      routed_experts: null,
    };
  }
}
