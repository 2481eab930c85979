// A response in one piece.
import { randomHex } from '../generation/request-id.ts';
import type { Sequence, TokenDelta } from '../sequence.ts';
import type { ToolCall } from '../structured/tool-call.ts';
import { ReasoningSplitter } from '../text/thinking.ts';
import type { Answer } from './answer.ts';
import { chatLogprobs } from './chat-logprobs.ts';
import {
  functionCallItem,
  messageItem,
  type ResponseHead,
  reasoningItem,
  responseObject,
  textPart,
} from './response-parts.ts';

export class ResponseAnswer implements Answer {
  readonly #head: ResponseHead;
  readonly #call: ToolCall | undefined;
  #text = '';
  #sequences: readonly Sequence[] = [];

  constructor(head: ResponseHead, call: ToolCall | undefined) {
    this.#head = head;
    this.#call = call;
  }

  start(sequences: readonly Sequence[]): void {
    this.#sequences = sequences;
  }

  onDelta(_choice: number, delta: TokenDelta): void {
    this.#text += delta.text;
    if (delta.finishReason === null) return;
    const isWhole = delta.finishReason === 'stop';
    const output = this.#call && isWhole ? [callItem(this.#call)] : this.#textItems();
    const status = delta.finishReason === 'length' ? 'incomplete' : 'completed';
    const answer = responseObject(this.#head, status, output, this.#sequences);
    this.#head.output.finish('', answer);
  }

  #textItems(): object[] {
    const { thinks, engine, request, given } = this.#head;
    const { reasoning, content } = new ReasoningSplitter(thinks).push(this.#text, true);
    const output = this.#sequences[0]?.output ?? [];
    const logprobs = chatLogprobs(engine.tokenizer, request, output)?.content ?? null;
    const items: object[] = [];
    if (reasoning !== '' && given.include_reasoning !== false) {
      items.push(reasoningItem(`rs_${randomHex(8)}`, null, reasoning));
    }
    if (content !== '') {
      const parts = [textPart(content, logprobs)];
      items.push(messageItem(`msg_${randomHex(8)}`, 'completed', parts));
    }
    return items;
  }
}

function callItem({ name, argumentsJson }: ToolCall): object {
  return functionCallItem({
    id: `fc_${randomHex(8)}`,
    callId: `chatcmpl-tool-${randomHex(8)}`,
    name,
    argumentsJson,
    status: 'completed',
  });
}
