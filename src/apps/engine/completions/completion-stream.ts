// A completion as server-sent events.
import {
  type CompletionRequest,
  sseDone,
  sseEvent,
  streamUsageObject,
} from '../../../core/api/index.ts';
import { type ChunkFrame, chunkFrame } from '../generation/chunk-frame.ts';
import { streamMetrics } from '../generation/request-metrics.ts';
import {
  type ResponseContext,
  type ResponseWriter,
  setLoadHeaders,
  usageOf,
} from '../generation/response-writer.ts';
import type { GeneratedSequence, TokenDelta } from '../sequences/generated-sequence.ts';
import { completionLogprobs } from './completion-logprobs.ts';

export class CompletionStream implements ResponseWriter {
  readonly #head: ResponseContext<CompletionRequest>;
  readonly #frame: ChunkFrame;
  /** Number of characters sent so far, by choice. */
  readonly #offsets: number[] = [];
  #sequences: readonly GeneratedSequence[] = [];
  #open = 0;

  constructor(head: ResponseContext<CompletionRequest>) {
    this.#head = head;
    this.#frame = chunkFrame(head, 'text_completion');
  }

  start(sequences: readonly GeneratedSequence[]): void {
    this.#sequences = sequences;
    this.#open = sequences.length;
    setLoadHeaders(this.#head);
    this.#head.exchange.openStream();
  }

  onDelta(choice: number, delta: TokenDelta): void {
    const { exchange } = this.#head;
    const ends = delta.finishReason !== null;
    if (ends) this.#open--;
    const events = this.#chunk(choice, delta);
    if (this.#open > 0) exchange.write(events);
    else exchange.end(events + (this.#frame.includesUsage ? this.#usageChunk() : '') + sseDone);
  }

  #chunk(choice: number, delta: TokenDelta): string {
    const { engine, request } = this.#head;
    const sequence = this.#sequences[choice] as GeneratedSequence;
    const isFirst = sequence.output.length === delta.tokenIds.length;
    const echoed = request.echo === true && isFirst ? sequence.prompt : [];
    const isPromptOnly = request.echo === true && request.max_tokens === 0;
    const text =
      (echoed.length > 0 ? engine.tokenizer.decode(echoed) : '') + (isPromptOnly ? '' : delta.text);
    const offset = this.#offsets[choice] ?? 0;
    this.#offsets[choice] = offset + text.length;
    const tokenIds = [...echoed, ...(isPromptOnly ? [] : delta.tokenIds)];
    const logprobs = completionLogprobs(
      engine.tokenizer,
      request,
      tokenIds,
      echoed.length > 0,
      offset,
    );
    const returnIds = request.return_token_ids === true;
    const promptIds = isFirst && (returnIds || echoed.length > 0) ? sequence.prompt : null;
    const body = `{"index":${choice},"text":${JSON.stringify(text)},"logprobs":${JSON.stringify(logprobs)},"finish_reason":${JSON.stringify(delta.finishReason)},"stop_reason":${JSON.stringify(delta.stopReason)},"prompt_token_ids":${JSON.stringify(promptIds)},"token_ids":${returnIds ? JSON.stringify(delta.tokenIds) : 'null'}}`;
    const fingerprint =
      delta.finishReason !== null && !this.#frame.includesUsage ? this.#frame.fingerprint : '';
    return sseEvent(
      `${this.#frame.prefix},"choices":[${body}]${this.#usagePart(sequence)}${fingerprint}}`,
    );
  }

  #usagePart(sequence: GeneratedSequence): string {
    if (!this.#frame.hasContinuousUsage) return '';
    const prompt = sequence.promptTokens;
    const completion = sequence.output.length;
    return `,"usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + completion},"completion_tokens":${completion}}`;
  }

  #usageChunk(): string {
    const usage = streamUsageObject({
      ...usageOf(this.#head, this.#sequences),
      createdCacheTokens: undefined,
    });
    return sseEvent(
      `${this.#frame.prefix},"choices":[],"usage":${JSON.stringify(usage)}${this.#frame.fingerprint}${streamMetrics(this.#head.engine, this.#sequences)}}`,
    );
  }
}
