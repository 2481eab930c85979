// A response as server-sent events: items that open, grow and close, each event with its sequence
// number.
import { namedSseEvent } from '../../../core/api/index.ts';
import { randomHex } from '../base/random-hex.ts';
import { chatLogprobs } from '../generation/response-logprobs.ts';
import type { ResponseWriter } from '../generation/response-writer.ts';
import type { GeneratedSequence, TokenDelta } from '../sequences/generated-sequence.ts';
import { type ToolCall, type ToolCallDelta, ToolCallStream } from '../structured/tool-call.ts';
import { ReasoningSplitter } from '../text/thinking.ts';
import {
  functionCallItem,
  messageItem,
  type ResponseHead,
  reasoningItem,
  responseObject,
  textPart,
} from './response-object.ts';

/** The item that is growing. */
interface OpenItem {
  readonly type: 'message' | 'reasoning' | 'function_call';
  readonly id: string;
  readonly callId: string;
  text: string;
  readonly logprobs: object[];
}

export class ResponseStream implements ResponseWriter {
  readonly #head: ResponseHead;
  readonly #call: ToolCall | undefined;
  readonly #callStream: ToolCallStream | undefined;
  readonly #splitter: ReasoningSplitter;
  readonly #output: object[] = [];
  #sequences: readonly GeneratedSequence[] = [];
  #item: OpenItem | undefined;
  #number = 0;

  constructor(head: ResponseHead, call: ToolCall | undefined) {
    this.#head = head;
    this.#call = call;
    this.#callStream = call && new ToolCallStream(call, `chatcmpl-tool-${randomHex(8)}`);
    this.#splitter = new ReasoningSplitter(head.thinks);
  }

  start(sequences: readonly GeneratedSequence[]): void {
    this.#sequences = sequences;
    const { output } = this.#head;
    output.open();
    const response = responseObject(this.#head, 'in_progress', []);
    output.write(
      this.#event('response.created', { response }) +
        this.#event('response.in_progress', { response }),
    );
  }

  onDelta(_choice: number, delta: TokenDelta): void {
    const isEnd = delta.finishReason !== null;
    const events = this.#growth(delta, isEnd);
    const { output } = this.#head;
    if (!isEnd) {
      if (events !== '') output.write(events);
      return;
    }
    const closing = this.#close();
    const status = delta.finishReason === 'length' ? 'incomplete' : 'completed';
    const response = responseObject(this.#head, status, this.#output, this.#sequences);
    output.finish(events + closing + this.#event('response.completed', { response }), response);
  }

  #growth(delta: TokenDelta, isEnd: boolean): string {
    if (this.#callStream) {
      return this.#callStream
        .push(delta.text)
        .map((part) => this.#callEvents(part))
        .join('');
    }
    const { reasoning, content } = this.#splitter.push(delta.text, isEnd);
    const shown = this.#head.given.include_reasoning === false ? '' : reasoning;
    return this.#grow('reasoning', shown, delta) + this.#grow('message', content, delta);
  }

  #grow(type: 'message' | 'reasoning', text: string, delta: TokenDelta): string {
    if (text === '') return '';
    const opening = this.#item?.type === type ? '' : this.#open(type);
    const item = this.#item as OpenItem;
    item.text += text;
    if (type === 'reasoning') {
      return opening + this.#event('response.reasoning_text.delta', this.#at({ delta: text }));
    }
    const { engine, request } = this.#head;
    const logprobs = chatLogprobs(engine.tokenizer, request, delta.tokenIds)?.content ?? [];
    item.logprobs.push(...logprobs);
    const short = logprobs.map(withoutBytes);
    const fields = this.#at({ delta: text, logprobs: short });
    return opening + this.#event('response.output_text.delta', fields);
  }

  #callEvents({ id, function: called }: ToolCallDelta): string {
    const opening = id === undefined ? '' : this.#open('function_call', id);
    if (called.arguments === undefined || !this.#item) return opening;
    this.#item.text += called.arguments;
    const fields = this.#at({ delta: called.arguments }, false);
    return opening + this.#event('response.function_call_arguments.delta', fields);
  }

  #open(type: OpenItem['type'], callId = ''): string {
    const closing = this.#close();
    const prefix = { message: 'msg', reasoning: 'rs', function_call: 'fc' }[type];
    this.#item = { type, id: `${prefix}_${randomHex(8)}`, callId, text: '', logprobs: [] };
    const item = this.#itemObject(this.#item, 'in_progress');
    const added = this.#event('response.output_item.added', { item, output_index: this.#index });
    if (type === 'function_call') return closing + added;
    const part = type === 'message' ? textPart('', []) : { text: '', type: 'reasoning_text' };
    return closing + added + this.#event('response.content_part.added', this.#at({ part }));
  }

  #close(): string {
    const item = this.#item;
    if (item === undefined) return '';
    const { text } = item;
    const whole = this.#itemObject(item, 'completed');
    let events: string;
    if (item.type === 'function_call') {
      const fields = this.#at({ arguments: text, name: this.#call?.name }, false);
      events = this.#event('response.function_call_arguments.done', fields);
    } else if (item.type === 'reasoning') {
      events =
        this.#event('response.reasoning_text.done', this.#at({ text })) +
        this.#event('response.content_part.done', this.#at({ part: reasoningPart(text) }));
    } else {
      const part = textPart(text, item.logprobs.length > 0 ? item.logprobs : null);
      events =
        this.#event('response.output_text.done', this.#at({ text, logprobs: [] })) +
        this.#event('response.content_part.done', this.#at({ part }));
    }
    events += this.#event('response.output_item.done', { item: whole, output_index: this.#index });
    this.#output.push(whole);
    this.#item = undefined;
    return events;
  }

  #itemObject({ type, id, callId, text, logprobs }: OpenItem, status: string): object {
    const isOpen = status === 'in_progress';
    switch (type) {
      case 'reasoning':
        return reasoningItem(id, status, isOpen ? undefined : text);
      case 'message': {
        const parts = isOpen ? [] : [textPart(text, logprobs.length > 0 ? logprobs : null)];
        return messageItem(id, status, parts);
      }
      default: {
        const name = this.#call?.name ?? '';
        const item = functionCallItem({ id, callId, name, argumentsJson: text, status });
        return item;
      }
    }
  }

  get #index(): number {
    return this.#output.length;
  }

  /** Adds the position in the response that the fields refer to. */
  #at(fields: object, isPart = true): object {
    return {
      ...(isPart && { content_index: 0 }),
      ...fields,
      item_id: this.#item?.id,
      output_index: this.#index,
    };
  }

  #event(type: string, fields: object): string {
    const body = { ...fields, sequence_number: this.#number++, type };
    return namedSseEvent(type, JSON.stringify(body));
  }
}

function reasoningPart(text: string): object {
  return { text, type: 'reasoning_text' };
}

/** Streamed log probabilities have no bytes. */
function withoutBytes(entry: object): object {
  const { bytes: _bytes, ...rest } = entry as { bytes?: unknown; top_logprobs?: object[] };
  return {
    ...rest,
    ...(rest.top_logprobs && { top_logprobs: rest.top_logprobs.map(withoutBytes) }),
  };
}
