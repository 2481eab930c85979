// A chat response as server-sent events, split into chunks as by vLLM.
import { type ChatRequest, sseDone, sseEvent, streamUsageObject } from '../../../core/api/index.ts';
import { randomHex } from '../base/random-hex.ts';
import { type ChunkFrame, chunkFrame } from '../generation/chunk-frame.ts';
import { streamMetrics } from '../generation/request-metrics.ts';
import { chatLogprobs } from '../generation/response-logprobs.ts';
import {
  chatUsageOf,
  type ResponseContext,
  type ResponseWriter,
  reasoningTokens,
  setLoadHeaders,
} from '../generation/response-writer.ts';
import type { GeneratedSequence, TokenDelta } from '../sequences/generated-sequence.ts';
import { type ToolCall, ToolCallStream } from '../structured/tool-call.ts';
import { ReasoningSplitter } from '../text/thinking.ts';
import { echoedText, finishReasonOf, hidesTokens, responseRole } from './chat-parts.ts';

export class ChatStream implements ResponseWriter {
  readonly #head: ResponseContext<ChatRequest>;
  readonly #frame: ChunkFrame;
  readonly #call: ToolCall | undefined;
  readonly #callStreams: ToolCallStream[] = [];
  readonly #splitters: ReasoningSplitter[] = [];
  readonly #isPlain: boolean;
  #sequences: readonly GeneratedSequence[] = [];
  #hasRoles = false;
  #open = 0;

  /** @param call The tool call of which every choice consists. */
  constructor(head: ResponseContext<ChatRequest>, call: ToolCall | undefined) {
    this.#head = head;
    this.#call = call;
    this.#frame = chunkFrame(head, 'chat.completion.chunk');
    this.#isPlain =
      call === undefined &&
      head.thinks !== true &&
      !hidesTokens(head.engine, head.request) &&
      head.request.logprobs !== true &&
      head.request.return_token_ids !== true;
  }

  start(sequences: readonly GeneratedSequence[]): void {
    this.#sequences = sequences;
    this.#open = sequences.length;
    setLoadHeaders(this.#head);
    this.#head.exchange.openStream();
  }

  onDelta(choice: number, delta: TokenDelta): void {
    const { exchange } = this.#head;
    let events = this.#hasRoles ? '' : this.#opening();
    if (delta.finishReason === null) {
      exchange.write(events + this.#contentChunks(choice, delta));
      return;
    }
    this.#open--;
    events += this.#isUnstepped(choice)
      ? this.#contentChunks(choice, delta)
      : this.#lastChunks(choice, delta);
    if (this.#open > 0) exchange.write(events);
    else exchange.end(events + (this.#frame.includesUsage ? this.#usageChunk() : '') + sseDone);
  }

  /** vLLM does not count a beam search without steps as ended. */
  #isUnstepped(choice: number): boolean {
    const isBeam = this.#head.request.use_beam_search === true;
    return isBeam && this.#sequences[choice]?.output.length === 0;
  }

  /** One chunk per choice with its role, and the echo of the prompt's last message. */
  #opening(): string {
    this.#hasRoles = true;
    const { request } = this.#head;
    const role = JSON.stringify(responseRole(request));
    const ids = request.return_token_ids
      ? JSON.stringify(this.#sequences[0]?.prompt ?? [])
      : 'null';
    let events = '';
    for (let index = 0; index < this.#sequences.length; index++) {
      events += this.#chunk(
        `{"index":${index},"delta":{"role":${role},"content":""},"logprobs":null,"finish_reason":null}`,
        `${this.#usagePart(undefined)},"prompt_token_ids":${ids},"prompt_text":${JSON.stringify(this.#head.promptText ?? null)}`,
      );
    }
    const last = echoedText(request);
    if (last !== '') {
      for (let index = 0; index < this.#sequences.length; index++) {
        events += this.#chunk(
          `{"index":${index},"delta":{"content":${JSON.stringify(last)}},"logprobs":null,"finish_reason":null}`,
          this.#usagePart(index),
        );
      }
    }
    return events;
  }

  #contentChunks(choice: number, delta: TokenDelta): string {
    if (this.#isPlain) {
      if (delta.text === '' && this.#dropsEmpty) return '';
      // The hot path: one token of text, without creating an object.
      return this.#chunk(
        `{"index":${choice},"delta":{"content":${JSON.stringify(delta.text)}},"logprobs":null,"finish_reason":null,"token_ids":null}`,
        this.#usagePart(choice),
      );
    }
    const { request } = this.#head;
    const bodies = this.#deltas(choice, delta.text);
    // Tokens that add no text are still reported if token ids are requested.
    if (bodies.length === 0 && request.return_token_ids && !this.#hidesReasoning) bodies.push('{}');
    return bodies
      .map((body) =>
        this.#chunk(
          `{"index":${choice},"delta":${this.#shown(body)},"logprobs":${this.#logprobs(delta)},"finish_reason":null,"token_ids":${this.#ids(delta)}}`,
          this.#usagePart(choice),
        ),
      )
      .join('');
  }

  #lastChunks(choice: number, delta: TokenDelta): string {
    const bodies = this.#call
      ? [...this.#deltas(choice, delta.text), '{}']
      : this.#head.thinks
        ? this.#thoughtDeltas(choice, delta.text, true)
        : [this.#contentBody(delta.text)];
    const reason = finishReasonOf(delta.finishReason, this.#head.request, this.#call);
    const finish = `"${reason}","stop_reason":${JSON.stringify(delta.stopReason)}`;
    const fingerprint = this.#frame.includesUsage ? '' : this.#frame.fingerprint;
    return bodies
      .map((body, i) =>
        i < bodies.length - 1
          ? this.#chunk(
              `{"index":${choice},"delta":${this.#shown(body)},"logprobs":null,"finish_reason":null,"token_ids":null}`,
              this.#usagePart(choice),
            )
          : this.#chunk(
              `{"index":${choice},"delta":${this.#shown(body)},"logprobs":${this.#logprobs(delta)},"finish_reason":${finish},"token_ids":${this.#ids(delta)}}`,
              this.#usagePart(choice) + fingerprint,
            ),
      )
      .join('');
  }

  /** Returns the `delta` objects of a text: one, or those of a tool call. */
  #deltas(choice: number, text: string): string[] {
    if (!this.#call) {
      return this.#head.thinks
        ? this.#thoughtDeltas(choice, text, false)
        : text === '' && this.#dropsEmpty && this.#head.request.logprobs !== true
          ? []
          : [this.#contentBody(text)];
    }
    this.#callStreams[choice] ??= new ToolCallStream(this.#call, `chatcmpl-tool-${randomHex(8)}`);
    const calls = this.#callStreams[choice].push(text);
    this.#head.engine.metrics.onToolParser(true, calls.length > 0 ? 'tool_call' : 'no_tool_call');
    return calls.map((call) => `{"content":null,"tool_calls":[${JSON.stringify(call)}]}`);
  }

  /** A tool parser returns no delta for an empty text; without a parser the content is empty. */
  get #dropsEmpty(): boolean {
    return this.#head.engine.options.toolCallParser !== undefined;
  }

  #contentBody(text: string): string {
    return text === '' && this.#dropsEmpty ? '{}' : `{"content":${JSON.stringify(text)}}`;
  }

  /** If reasoning is hidden, every delta of a parser has a null reasoning. */
  #shown(body: string): string {
    return this.#hidesReasoning && body !== '{}' ? `${body.slice(0, -1)},"reasoning":null}` : body;
  }

  /** Whether reasoning is hidden; its tokens are then omitted too. */
  get #hidesReasoning(): boolean {
    return hidesTokens(this.#head.engine, this.#head.request);
  }

  /** Reasoning and the text after it, in separate fields. */
  #thoughtDeltas(choice: number, text: string, isEnd: boolean): string[] {
    this.#splitters[choice] ??= new ReasoningSplitter(true);
    const { reasoning, content } = this.#splitters[choice].push(text, isEnd);
    const bodies: string[] = [];
    if (reasoning !== '' && this.#head.request.include_reasoning !== false) {
      bodies.push(`{"reasoning":${JSON.stringify(reasoning)}}`);
    }
    if (content !== '') bodies.push(`{"content":${JSON.stringify(content)}}`);
    const isThinking = this.#splitters[choice].isThinking;
    return isEnd && bodies.length === 0 ? [isThinking ? '{}' : this.#contentBody('')] : bodies;
  }

  #logprobs(delta: TokenDelta): string {
    if (this.#hidesReasoning) return 'null';
    const { engine, request } = this.#head;
    return JSON.stringify(chatLogprobs(engine.tokenizer, request, delta.tokenIds));
  }

  #ids(delta: TokenDelta): string {
    if (this.#hidesReasoning) return 'null';
    return this.#head.request.return_token_ids ? JSON.stringify(delta.tokenIds) : 'null';
  }

  #chunk(choice: string, rest: string): string {
    return sseEvent(`${this.#frame.prefix},"choices":[${choice}]${rest}}`);
  }

  /** @param choice Undefined for the chunk before the first token. */
  #usagePart(choice: number | undefined): string {
    if (!this.#frame.hasContinuousUsage) return '';
    const prompt = this.#head.promptTokens;
    const completion = choice === undefined ? 0 : (this.#sequences[choice]?.output.length ?? 0);
    const reasoning = this.#reasoningTokens(choice);
    const details = reasoning === undefined ? 'null' : `{"reasoning_tokens":${reasoning}}`;
    return `,"usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + completion},"completion_tokens":${completion},"completion_tokens_details":${details}}`;
  }

  #reasoningTokens(choice: number | undefined): number | undefined {
    const sequence = choice === undefined ? undefined : this.#sequences[choice];
    return reasoningTokens(this.#head, sequence ? [sequence] : []);
  }

  #usageChunk(): string {
    const usage = streamUsageObject(chatUsageOf(this.#head, this.#sequences));
    return sseEvent(
      `${this.#frame.prefix},"choices":[],"usage":${JSON.stringify(usage)}${this.#frame.fingerprint}${streamMetrics(this.#head.engine, this.#sequences)}}`,
    );
  }
}
