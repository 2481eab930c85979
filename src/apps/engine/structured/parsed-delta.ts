// What a chunk of generated tokens adds to a chat answer, with the parsers of the server at work.
import type { ChatRequest } from '../../../core/api/index.ts';
import type { Engine } from '../engine.ts';
import { ReasoningSplitter, thinkingEnd } from '../text/thinking.ts';
import type { ToolCallDelta } from './tool-call.ts';
import { ToolCallReader } from './tool-call-reader.ts';

const thinkingStart = '<think>';

interface ParsedDelta {
  readonly content: string;
  readonly reasoning: string;
  readonly calls: readonly ToolCallDelta[];
}

/**
 * Reads the chunks before again, then the new tokens, and tells what these add.
 *
 * @param options `before`: shape [chunk][token]. `callId`: of the call at that place in the answer.
 */
export function parsedDelta(
  engine: Engine,
  options: {
    readonly chat: ChatRequest | undefined;
    readonly prompt: readonly number[];
    readonly before: readonly (readonly number[])[];
    readonly ids: readonly number[];
    readonly isEnd: boolean;
    readonly callId: (index: number) => string;
  },
): ParsedDelta {
  const { chat } = options;
  const decoder = engine.tokenizer.incrementalDecoder();
  const splitter = new ReasoningSplitter(opensThinking(engine, options.prompt));
  let calls = 0;
  const reader = new ToolCallReader(() => options.callId(calls++));
  const wantsCalls =
    engine.options.toolCallParser !== undefined &&
    (chat?.tools?.length ?? 0) > 0 &&
    chat?.tool_choice !== 'none';
  const step = (ids: readonly number[], isEnd: boolean): ParsedDelta => {
    const text = ids.map((id) => decoder.push(id)).join('');
    const { reasoning, content } = splitter.push(text, isEnd);
    const shown = chat?.include_reasoning === false ? '' : reasoning;
    if (!wantsCalls) return { content, reasoning: shown, calls: [] };
    return { reasoning: shown, ...reader.push(content) };
  };
  for (const ids of options.before) step(ids, false);
  return step(options.ids, options.isEnd);
}

/** With a reasoning parser an answer begins with thoughts, unless its prompt has closed them. */
function opensThinking(engine: Engine, prompt: readonly number[]): boolean {
  if (engine.options.reasoningParser === undefined) return false;
  const [start, end] = [thinkingStart, thinkingEnd].map((mark) => {
    const id = engine.tokenizer.tokenId(mark);
    return id === undefined ? -1 : prompt.lastIndexOf(id);
  }) as [number, number];
  return end <= start;
}
