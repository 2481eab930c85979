// A message of Anthropic's API as server-sent events: blocks that open, grow and close.
import { type ChatRequest, namedSseEvent } from '../../../core/api/index.ts';
import { randomHex } from '../base/random-hex.ts';
import {
  type ResponseContext,
  type ResponseWriter,
  setLoadHeaders,
  usageOf,
} from '../generation/response-writer.ts';
import type { GeneratedSequence, TokenDelta } from '../sequences/generated-sequence.ts';
import { type ToolCall, ToolCallStream } from '../structured/tool-call.ts';
import { ReasoningSplitter } from '../text/thinking.ts';
import { messageEnd, messageUsage } from './message-parts.ts';

type BlockType = 'text' | 'thinking' | 'tool_use';

export class MessageStream implements ResponseWriter {
  readonly #head: ResponseContext<ChatRequest>;
  readonly #call: ToolCall | undefined;
  readonly #callStream: ToolCallStream | undefined;
  readonly #splitter: ReasoningSplitter;
  #sequences: readonly GeneratedSequence[] = [];
  #hasStarted = false;
  #block: BlockType | undefined;
  #index = 0;

  constructor(head: ResponseContext<ChatRequest>, call: ToolCall | undefined) {
    this.#head = head;
    this.#call = call;
    this.#callStream = call && new ToolCallStream(call, `chatcmpl-tool-${randomHex(8)}`);
    this.#splitter = new ReasoningSplitter(head.thinks === true);
  }

  start(sequences: readonly GeneratedSequence[]): void {
    this.#sequences = sequences;
    setLoadHeaders(this.#head);
    this.#head.exchange.openStream();
  }

  onDelta(_choice: number, delta: TokenDelta): void {
    const isEnd = delta.finishReason !== null;
    const events = this.#opening() + this.#growth(delta.text, isEnd);
    if (isEnd) this.#head.exchange.end(events + this.#closing(delta));
    else if (events !== '') this.#head.exchange.write(events);
  }

  #opening(): string {
    if (this.#hasStarted) return '';
    this.#hasStarted = true;
    const { id, engine, promptTokens } = this.#head;
    return event('message_start', {
      message: {
        id,
        type: 'message',
        role: 'assistant',
        content: [],
        model: engine.responseModelName(this.#head.request.model),
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: promptTokens, output_tokens: 0 },
      },
    });
  }

  #growth(text: string, isEnd: boolean): string {
    if (this.#callStream) {
      return this.#callStream
        .push(text)
        .map((part) => this.#toolEvents(part))
        .join('');
    }
    const { reasoning, content } = this.#splitter.push(text, isEnd);
    return (
      this.#grow('thinking', { type: 'thinking', thinking: '' }, reasoning, (thinking) => ({
        type: 'thinking_delta',
        thinking,
      })) +
      this.#grow('text', { type: 'text', text: '' }, content, (more) => ({
        type: 'text_delta',
        text: more,
      }))
    );
  }

  #toolEvents(part: ReturnType<ToolCallStream['push']>[number]): string {
    const { id, function: called } = part;
    const opening =
      id === undefined
        ? ''
        : this.#open('tool_use', { type: 'tool_use', id, name: called.name, input: {} });
    if (called.arguments === undefined) return opening;
    const delta = { type: 'input_json_delta', partial_json: called.arguments };
    return opening + event('content_block_delta', { delta, index: this.#index });
  }

  #grow(type: BlockType, block: object, text: string, toDelta: (text: string) => object): string {
    if (text === '') return '';
    const opening = this.#block === type ? '' : this.#open(type, block);
    return opening + event('content_block_delta', { delta: toDelta(text), index: this.#index });
  }

  #open(type: BlockType, block: object): string {
    const closing = this.#close();
    this.#block = type;
    return closing + event('content_block_start', { content_block: block, index: this.#index });
  }

  #close(): string {
    if (this.#block === undefined) return '';
    const index = this.#index++;
    const delta = { type: 'signature_delta', signature: randomHex(16) };
    const signature =
      this.#block === 'thinking' ? event('content_block_delta', { delta, index }) : '';
    this.#block = undefined;
    return signature + event('content_block_stop', { index });
  }

  #closing(end: TokenDelta): string {
    const usage = messageUsage(usageOf(this.#head, this.#sequences));
    return (
      this.#close() +
      event('message_delta', { delta: messageEnd(end, this.#call), usage }) +
      event('message_stop', {})
    );
  }
}

function event(type: string, fields: object): string {
  return namedSseEvent(type, JSON.stringify({ type, ...fields }));
}
