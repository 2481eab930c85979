// Where another engine continues a stream: its events become part of those of the first one.
import type { Replay } from './replay.ts';
import type { StreamChoice, StreamChunk, StreamUsage } from './stream-event.ts';
import { countOf, type Transcript } from './transcript.ts';

/** The fields that all chunks of one stream share. */
export type StreamHead = Pick<StreamChunk, 'id' | 'object' | 'created' | 'model'>;

export class StreamJoin {
  readonly #transcript: Transcript;
  /** Tokens of the response that the engine gets with its prompt. */
  readonly tokensBefore: number;
  /** Set if the engine repeats a part of the response. */
  readonly replay: Replay | undefined;
  readonly #reasoningBefore: number;
  #isConfirmed: boolean;

  /** @param tokensBefore 0 if the engine begins the response anew. */
  constructor(transcript: Transcript, tokensBefore: number, replay: Replay | undefined) {
    this.#transcript = transcript;
    this.tokensBefore = tokensBefore;
    this.replay = replay;
    this.#reasoningBefore = Math.min(transcript.reasoningTokens, tokensBefore);
    this.#isConfirmed = tokensBefore === 0;
  }

  /**
   * Checks that the engine has taken the tokens that it was sent, by its first chunk; older ones ignore them.
   *
   * @param promptIds Ids of the prompt in the chunk.
   * @returns What the engine did instead.
   */
  mismatch({ choices }: StreamChunk, promptIds: string | undefined): string | undefined {
    if (this.#isConfirmed) return undefined;
    this.#isConfirmed = true;
    const promptTokens = countOf(promptIds ?? '');
    const expected = this.#transcript.promptTokens + this.tokensBefore;
    if (promptTokens === expected && choices?.length === 1) return undefined;
    return `it computed ${promptTokens} prompt tokens rather than ${expected}`;
  }

  /** The event as a part of the first engine's stream. */
  event(
    chunk: StreamChunk,
    choice: StreamChoice | undefined,
    head: StreamHead,
    hidesIds: boolean,
  ): string {
    Object.assign(chunk, head);
    if (chunk.prompt_token_ids != null) chunk.prompt_token_ids = null;
    if (choice?.prompt_token_ids != null) choice.prompt_token_ids = null;
    if (choice?.token_ids != null && hidesIds) choice.token_ids = null;
    const { usage } = chunk;
    if (usage != null) this.#addUsage(usage);
    return `data: ${JSON.stringify(chunk)}\n\n`;
  }

  #addUsage(usage: StreamUsage): void {
    const { completion_tokens: own, completion_tokens_details: details } = usage;
    const { promptTokens } = this.#transcript;
    if (promptTokens > 0 && typeof own === 'number') {
      Object.assign(usage, usageOf(promptTokens, this.tokensBefore + own));
      const cached = usage.prompt_tokens_details;
      if (typeof cached?.cached_tokens === 'number') {
        cached.cached_tokens = Math.min(cached.cached_tokens, promptTokens);
      }
    }
    if (typeof details?.reasoning_tokens === 'number') {
      details.reasoning_tokens += this.#reasoningBefore;
    }
  }
}

/** Counts of a whole response. */
export function usageOf(promptTokens: number, completionTokens: number): StreamUsage {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
  };
}
