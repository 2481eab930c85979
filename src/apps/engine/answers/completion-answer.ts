// A completion in one piece.
import { type CompletionRequest, usageObject } from '../../../core/api/index.ts';
import type { Sequence, TokenDelta } from '../sequence.ts';
import { type Answer, type AnswerHead, createdSeconds, setLoadHeaders, usageOf } from './answer.ts';
import { CollectedChoices } from './collected-choices.ts';
import { completionLogprobs } from './completion-logprobs.ts';
import { promptLogprobs } from './prompt-logprobs.ts';
import { wholeMetrics } from './request-metrics.ts';

export class CompletionAnswer implements Answer {
  readonly #head: AnswerHead<CompletionRequest>;
  readonly #choices = new CollectedChoices();

  constructor(head: AnswerHead<CompletionRequest>) {
    this.#head = head;
  }

  start(sequences: readonly Sequence[]): void {
    this.#choices.start(sequences);
  }

  onDelta(choice: number, delta: TokenDelta): void {
    if (this.#choices.push(choice, delta)) this.#send();
  }

  #send(): void {
    const { id, engine, exchange } = this.#head;
    setLoadHeaders(this.#head);
    const answer = {
      id,
      object: 'text_completion',
      created: createdSeconds(),
      model: engine.answerName(this.#head.request.model),
      choices: this.#choices.sequences.map((sequence, index) => this.#choice(sequence, index)),
      service_tier: null,
      system_fingerprint: engine.systemFingerprint,
      usage: usageObject({
        ...usageOf(this.#head, this.#choices.sequences),
        createdCacheTokens: undefined,
      }),
      kv_transfer_params: null,
      ec_transfer_params: null,
      metrics: wholeMetrics(engine, this.#choices.sequences),
    };
    exchange.sendJson(200, JSON.stringify(answer));
  }

  #choice(sequence: Sequence, index: number): object {
    const { engine, request } = this.#head;
    const { tokenizer } = engine;
    const echoes = request.echo === true;
    // `echo` with no tokens asked for: one is computed all the same, and not shown.
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
