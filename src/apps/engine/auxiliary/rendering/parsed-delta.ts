// Computes the delta that a chunk of generated tokens adds to a chat response, after the server's
// parsers.
import type { ChatRequest } from '../../../../core/api/index.ts';
import type { EmbeddedEngine } from '../../runtime/embedded-engine.ts';
import type { ToolCallDelta } from '../../structured/tool-call.ts';
import { ReasoningSplitter, thinkingEnd } from '../../text/thinking.ts';
import { ToolCallReader } from './tool-call-reader.ts';

const thinkingStart = '<think>';

interface ParsedDelta {
  readonly content: string;
  readonly reasoning: string;
  readonly calls: readonly ToolCallDelta[];
}

/**
 * Parses the previous chunks again, then the new tokens, and returns the additions of the new ones.
 *
 * @param options `before`: shape [chunk][token]. `callId`: id of the tool call at that position of
 * the response.
 */
export function parsedDelta(
  engine: EmbeddedEngine,
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

/** With a reasoning parser, a response starts with reasoning unless its prompt has closed it. */
function opensThinking(engine: EmbeddedEngine, prompt: readonly number[]): boolean {
  if (engine.options.reasoningParser === undefined) return false;
  const [start, end] = [thinkingStart, thinkingEnd].map((mark) => {
    const id = engine.tokenizer.tokenId(mark);
    return id === undefined ? -1 : prompt.lastIndexOf(id);
  }) as [number, number];
  return end <= start;
}
