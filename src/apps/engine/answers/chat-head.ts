// What both forms of a chat answer start from.
import type { ChatRequest, UsageCounts } from '../../../core/protocol/index.ts';
import type { Engine } from '../engine.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Sequence } from '../sequence.ts';

export interface ChatHead {
  readonly id: string;
  readonly engine: Engine;
  readonly exchange: Exchange;
  readonly request: ChatRequest;
  readonly promptTokens: number;
}

/** The role of the answer: the model's, or that of the last message when it goes on. */
export function answerRole({ request }: ChatHead): string {
  if (request.add_generation_prompt === false) {
    const role = request.messages?.at(-1)?.['role'];
    if (typeof role === 'string') return role;
  }
  return 'assistant';
}

/** Prompt once, output of all choices; cache figures of the first. */
export function chatUsage(head: ChatHead, sequences: readonly Sequence[]): UsageCounts {
  const cached = sequences[0]?.cachedTokens ?? 0;
  const { blockSize } = head.engine.options.config;
  const fullBlocks = Math.floor(head.promptTokens / blockSize) * blockSize;
  const details = head.engine.options.enablePromptTokensDetails === true;
  return {
    promptTokens: head.promptTokens,
    completionTokens: sequences.reduce((total, { output }) => total + output.length, 0),
    cachedTokens: details ? cached : undefined,
    createdCacheTokens: details ? Math.max(0, fullBlocks - cached) : undefined,
  };
}
