// Tool calls: which one the response must be, its text, and its streamed parts.
import { badRequest, type ChatRequest, type Tool } from '../../../core/api/index.ts';
import { GrowingText } from './growing-text.ts';
import { schemaText } from './schema-text.ts';

/** A tool call as the model would write it (Hermes' format, which Qwen3's template uses). */
export interface ToolCall {
  readonly name: string;
  /** JSON, written as far as it is read. */
  readonly argumentsJson: GrowingText;
  /** The whole text; its arguments start at `argumentsStart`. */
  readonly text: GrowingText;
  readonly argumentsStart: number;
}

/** Settings of the server that decide whether tool calls are possible. */
export interface ToolSettings {
  readonly enableAutoToolChoice: boolean;
  readonly toolCallParser: string | undefined;
}

/**
 * Returns the tool call that a request requires: a named one, or the first tool. With `auto` there
 * is none; see `chosenCall`.
 *
 * @throws {ApiError} 400 if the server is not configured for tool calls, as in vLLM.
 */
export function demandedCall(request: ChatRequest, settings: ToolSettings): ToolCall | undefined {
  const tools = request.tools ?? [];
  if (tools.length === 0) return undefined;
  const choice = request.tool_choice ?? 'auto';
  if (choice === 'none') return undefined;
  const { enableAutoToolChoice, toolCallParser } = settings;
  if (choice === 'auto') {
    if (enableAutoToolChoice && toolCallParser !== undefined) return undefined;
    throw badRequest(
      '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
    );
  }
  const name = typeof choice === 'object' ? choice.function?.name : undefined;
  if (toolCallParser === undefined) {
    const spelled = name == null ? '"required"' : `function "${name}"`;
    throw badRequest(`tool_choice=${spelled} requires --tool-call-parser to be set`);
  }
  const tool = name == null ? tools[0] : tools.find((one) => one.function?.name === name);
  return tool && callOf(tool);
}

/**
 * Chooses the emulated model's tool call with `auto`: it calls one in about half of the user's
 * turns, and responds to tool results in text, so that a client's loop of calls ends.
 *
 * @param draw Decides; equal draws choose the same call.
 */
export function chosenCall(request: ChatRequest, draw: number): ToolCall | undefined {
  const tools = request.tools ?? [];
  const { tool_choice: choice, response_format: format } = request;
  const isAuto = choice == null || choice === 'auto';
  const isFree = request.structured_outputs == null && (format == null || format.type === 'text');
  if (!isAuto || !isFree || tools.length === 0) return undefined;
  if (request.messages?.at(-1)?.['role'] !== 'user' || draw % 2 === 0) return undefined;
  const tool = tools[Math.floor(draw / 2) % tools.length] as Tool;
  const isPossible = schemaText(parametersOf(tool)) !== undefined;
  return isPossible ? callOf(tool) : undefined;
}

function callOf(tool: Tool): ToolCall {
  const name = tool.function?.name ?? '';
  // A schema without a JSON type does not constrain the model; the engine decides whether it is valid.
  const pieces = schemaText(parametersOf(tool), { isSpaced: true }) ?? ['{}'];
  const argumentsJson = new GrowingText(pieces);
  const before = `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": `;
  const text = new GrowingText(callPieces(before, argumentsJson));
  return { name, argumentsJson, text, argumentsStart: before.length };
}

function parametersOf(tool: Tool): unknown {
  return tool.function?.parameters ?? { type: 'object' };
}

/** Characters of the arguments that are written at once. */
const pieceCharacters = 1024;

function* callPieces(before: string, argumentsJson: GrowingText): Generator<string> {
  yield before;
  let at = 0;
  for (;;) {
    const piece = argumentsJson.slice(at, at + pieceCharacters);
    yield piece;
    if (piece.length < pieceCharacters) break;
    at += pieceCharacters;
  }
  yield '}\n</tool_call>';
}

/** The parts of a tool call that a client receives: its name first, then pieces of its arguments. */
export interface ToolCallDelta {
  readonly id?: string;
  readonly type?: 'function';
  readonly index: number;
  readonly function: { readonly name?: string; readonly arguments?: string };
}

/** Splits a tool call that arrives as text into deltas for a client. */
export class ToolCallStream {
  readonly #call: ToolCall;
  readonly #id: string;
  #seen = 0;
  #isNamed = false;

  constructor(call: ToolCall, id: string) {
    this.#call = call;
    this.#id = id;
  }

  /** @returns The `tool_calls` deltas that this text completes, as JSON objects. */
  push(text: string): ToolCallDelta[] {
    const from = this.#seen;
    this.#seen += text.length;
    const { argumentsStart, argumentsJson, name } = this.#call;
    const deltas: ToolCallDelta[] = [];
    if (!this.#isNamed && this.#seen >= argumentsStart) {
      this.#isNamed = true;
      deltas.push({ id: this.#id, type: 'function', index: 0, function: { name } });
    }
    const start = Math.max(0, from - argumentsStart);
    const json = argumentsJson.slice(start, Math.max(start, this.#seen - argumentsStart));
    if (json !== '') deltas.push({ index: 0, function: { arguments: json } });
    return deltas;
  }
}
