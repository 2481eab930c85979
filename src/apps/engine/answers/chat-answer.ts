// A chat answer in one piece.
import { usageObject } from '../../../core/protocol/index.ts';
import type { Sequence, TokenDelta } from '../sequence.ts';
import { answerRole, type ChatHead, chatUsage } from './chat-head.ts';

export class ChatAnswer {
  readonly #head: ChatHead;
  readonly #texts: string[] = [];
  readonly #ends: TokenDelta[] = [];
  #sequences: readonly Sequence[] = [];
  #open = 0;

  constructor(head: ChatHead) {
    this.#head = head;
  }

  start(sequences: readonly Sequence[]): void {
    this.#sequences = sequences;
    this.#open = sequences.length;
  }

  onDelta(choice: number, delta: TokenDelta): void {
    this.#texts[choice] = (this.#texts[choice] ?? '') + delta.text;
    if (delta.finishReason === null) return;
    this.#ends[choice] = delta;
    if (--this.#open === 0) this.#send();
  }

  #send(): void {
    const { id, engine, exchange, request } = this.#head;
    const returnIds = request.return_token_ids === true;
    const answer = {
      id,
      object: 'chat.completion',
      created: Math.floor(Date.now() / 1000),
      model: request.model || engine.modelName,
      choices: this.#sequences.map((sequence, index) => ({
        index,
        message: {
          role: answerRole(this.#head),
          content: this.#texts[index] ?? '',
          refusal: null,
          annotations: null,
          audio: null,
          function_call: null,
          reasoning: null,
        },
        logprobs: null,
        finish_reason: this.#ends[index]?.finishReason ?? null,
        stop_reason: this.#ends[index]?.stopReason ?? null,
        token_ids: returnIds ? sequence.output : null,
        routed_experts: null,
      })),
      service_tier: null,
      system_fingerprint: engine.systemFingerprint,
      usage: usageObject(chatUsage(this.#head, this.#sequences)),
      prompt_logprobs: null,
      prompt_token_ids: returnIds ? (this.#sequences[0]?.prompt ?? null) : null,
      prompt_text: null,
      kv_transfer_params: null,
      ec_transfer_params: null,
      metrics: null,
    };
    exchange.sendJson(200, JSON.stringify(answer));
  }
}
