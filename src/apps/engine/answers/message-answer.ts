// A message of Anthropic's API in one piece.
import type { ChatRequest } from '../../../core/api/index.ts';
import { randomHex } from '../generation/request-id.ts';
import type { Sequence, TokenDelta } from '../sequence.ts';
import type { ToolCall } from '../structured/tool-call.ts';
import { ReasoningSplitter } from '../text/thinking.ts';
import { type Answer, type AnswerHead, setLoadHeaders, usageOf } from './answer.ts';
import { messageEnd, messageUsage } from './message-parts.ts';

export class MessageAnswer implements Answer {
  readonly #head: AnswerHead<ChatRequest>;
  readonly #call: ToolCall | undefined;
  #text = '';
  #sequences: readonly Sequence[] = [];

  constructor(head: AnswerHead<ChatRequest>, call: ToolCall | undefined) {
    this.#head = head;
    this.#call = call;
  }

  start(sequences: readonly Sequence[]): void {
    this.#sequences = sequences;
  }

  onDelta(_choice: number, delta: TokenDelta): void {
    this.#text += delta.text;
    if (delta.finishReason !== null) this.#send(delta);
  }

  #send(end: TokenDelta): void {
    const { id, engine, exchange } = this.#head;
    const call = end.finishReason === 'stop' ? this.#call : undefined;
    setLoadHeaders(this.#head);
    const { stop_reason: reason, stop_sequence: sequence } = messageEnd(end, call);
    const message = {
      id,
      type: 'message',
      role: 'assistant',
      content: call ? [toolUse(call)] : this.#textBlocks(),
      model: engine.answerName(this.#head.request.model),
      ...(reason !== null && { stop_reason: reason }),
      ...(sequence !== null && { stop_sequence: sequence }),
      usage: messageUsage(usageOf(this.#head, this.#sequences)),
    };
    exchange.sendJson(200, JSON.stringify(message));
  }

  #textBlocks(): object[] {
    const splitter = new ReasoningSplitter(this.#head.thinks === true);
    const { reasoning, content } = splitter.push(this.#text, true);
    const thinking = { type: 'thinking', thinking: reasoning, signature: randomHex(16) };
    const text = { type: 'text', text: content };
    if (reasoning === '') return [text];
    return content === '' ? [thinking] : [thinking, text];
  }
}

function toolUse({ name, argumentsJson }: ToolCall): object {
  const id = `chatcmpl-tool-${randomHex(8)}`;
  return { type: 'tool_use', id, name, input: JSON.parse(argumentsJson) };
}
