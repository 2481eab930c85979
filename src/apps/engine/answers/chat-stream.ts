// A chat answer as server-sent events, chunk by chunk as vLLM cuts them.
import {
  sseContentType,
  sseDone,
  sseEvent,
  streamUsageObject,
  type UsageCounts,
} from '../../../core/protocol/index.ts';
import type { Sequence, TokenDelta } from '../sequence.ts';
import { answerRole, type ChatHead, chatUsage } from './chat-head.ts';

export class ChatStream {
  readonly #head: ChatHead;
  /** The part of a chunk that all of this answer share. */
  readonly #prefix: string;
  readonly #includeUsage: boolean;
  readonly #continuousUsage: boolean;
  readonly #fingerprint: string;
  #sequences: readonly Sequence[] = [];
  #hasRoles = false;
  #open = 0;

  constructor(head: ChatHead) {
    this.#head = head;
    const { id, engine, request } = head;
    const fields = {
      id,
      object: 'chat.completion.chunk',
      created: Math.floor(Date.now() / 1000),
      model: request.model || engine.modelName,
    };
    this.#prefix = JSON.stringify(fields).slice(0, -1);
    this.#includeUsage = request.stream_options?.include_usage === true;
    this.#continuousUsage =
      this.#includeUsage && request.stream_options?.continuous_usage_stats === true;
    this.#fingerprint = `,"system_fingerprint":${JSON.stringify(engine.systemFingerprint)}`;
  }

  start(sequences: readonly Sequence[]): void {
    this.#sequences = sequences;
    this.#open = sequences.length;
    const { response } = this.#head.exchange;
    response.writeHead(200, { 'content-type': sseContentType });
    response.flushHeaders();
  }

  onDelta(choice: number, delta: TokenDelta): void {
    let text = '';
    if (!this.#hasRoles) {
      this.#hasRoles = true;
      for (let index = 0; index < this.#sequences.length; index++) text += this.#roleChunk(index);
    }
    const ends = delta.finishReason !== null;
    if (ends) this.#open--;
    const isLast = this.#open === 0;
    const content = delta.text === '' && ends ? '' : `"content":${JSON.stringify(delta.text)}`;
    const finish = ends
      ? `"${delta.finishReason}","stop_reason":${JSON.stringify(delta.stopReason)}`
      : 'null';
    const ids = this.#head.request.return_token_ids ? `[${delta.tokenId}]` : 'null';
    text += this.#chunk(
      `{"index":${choice},"delta":{${content}},"logprobs":null,"finish_reason":${finish},"token_ids":${ids}}`,
      this.#usagePart(choice) + (isLast && !this.#includeUsage ? this.#fingerprint : ''),
    );
    const { response } = this.#head.exchange;
    if (!isLast) {
      response.write(text);
      return;
    }
    if (this.#includeUsage) text += this.#usageChunk();
    response.end(text + sseDone);
  }

  #roleChunk(index: number): string {
    const role = JSON.stringify(answerRole(this.#head));
    return this.#chunk(
      `{"index":${index},"delta":{"role":${role},"content":""},"logprobs":null,"finish_reason":null}`,
      `${this.#usagePart(undefined)},"prompt_token_ids":${this.#promptIds()},"prompt_text":null`,
    );
  }

  #chunk(choice: string, rest: string): string {
    return sseEvent(`${this.#prefix},"choices":[${choice}]${rest}}`);
  }

  /** @param choice Undefined for the chunk before the first token. */
  #usagePart(choice: number | undefined): string {
    if (!this.#continuousUsage) return '';
    const prompt = this.#head.promptTokens;
    const completion = choice === undefined ? 0 : (this.#sequences[choice]?.output.length ?? 0);
    return `,"usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + completion},"completion_tokens":${completion},"completion_tokens_details":null}`;
  }

  #usageChunk(): string {
    const usage: UsageCounts = chatUsage(this.#head, this.#sequences);
    return sseEvent(
      `${this.#prefix},"choices":[],"usage":${JSON.stringify(streamUsageObject(usage))}${this.#fingerprint}}`,
    );
  }

  #promptIds(): string {
    const sequence = this.#sequences[0];
    return this.#head.request.return_token_ids && sequence
      ? JSON.stringify(sequence.prompt)
      : 'null';
  }
}
