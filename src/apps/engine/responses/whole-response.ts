// A response as one JSON body.
import { randomHex } from '../base/random-hex.ts';
import { chatLogprobs } from '../generation/response-logprobs.ts';
import type { ResponseWriter } from '../generation/response-writer.ts';
import type { GeneratedSequence, TokenDelta } from '../sequences/generated-sequence.ts';
import type { ToolCall } from '../structured/tool-call.ts';
import { ReasoningSplitter } from '../text/thinking.ts';
import {
  functionCallItem,
  messageItem,
  type ResponseHead,
  reasoningItem,
  responseObject,
  textPart,
} from './response-object.ts';

export class WholeResponse implements ResponseWriter {
  readonly #head: ResponseHead;
  readonly #call: ToolCall | undefined;
  #text = '';
  #sequences: readonly GeneratedSequence[] = [];

  constructor(head: ResponseHead, call: ToolCall | undefined) {
    this.#head = head;
    this.#call = call;
  }

  start(sequences: readonly GeneratedSequence[]): void {
    this.#sequences = sequences;
  }

  onDelta(_choice: number, delta: TokenDelta): void {
    this.#text += delta.text;
    if (delta.finishReason === null) return;
    const isWhole = delta.finishReason === 'stop';
    const output = this.#call && isWhole ? [callItem(this.#call)] : this.#textItems();
    const status = delta.finishReason === 'length' ? 'incomplete' : 'completed';
    const response = responseObject(this.#head, status, output, this.#sequences);
    this.#head.output.finish('', response);
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
    argumentsJson: argumentsJson.whole(),
    status: 'completed',
  });
}
