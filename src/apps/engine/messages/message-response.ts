// A message of Anthropic's API as one JSON body.
import type { ChatRequest } from '../../../core/api/index.ts';
import { randomHex } from '../base/random-hex.ts';
import {
  type ResponseContext,
  type ResponseWriter,
  setLoadHeaders,
  usageOf,
} from '../generation/response-writer.ts';
import type { GeneratedSequence, TokenDelta } from '../sequences/generated-sequence.ts';
import type { ToolCall } from '../structured/tool-call.ts';
import { ReasoningSplitter } from '../text/thinking.ts';
import { messageEnd, messageUsage } from './message-parts.ts';

export class MessageResponse implements ResponseWriter {
  readonly #head: ResponseContext<ChatRequest>;
  readonly #call: ToolCall | undefined;
  #text = '';
  #sequences: readonly GeneratedSequence[] = [];

  constructor(head: ResponseContext<ChatRequest>, call: ToolCall | undefined) {
    this.#head = head;
    this.#call = call;
  }

  start(sequences: readonly GeneratedSequence[]): void {
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
      model: engine.responseModelName(this.#head.request.model),
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
  return { type: 'tool_use', id, name, input: JSON.parse(argumentsJson.whole()) };
}
