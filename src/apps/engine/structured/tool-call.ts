// Tool calls: which one the answer must be, its text, and its parts as they stream.
import { badRequest, type ChatRequest, type Tool } from '../../../core/api/index.ts';
import { schemaInstance } from './schema-instance.ts';

/** A call as the model would write it (Hermes' form, which Qwen3's template asks for). */
export interface ToolCall {
  readonly name: string;
  readonly argumentsJson: string;
  /** The whole text; its arguments begin at `argumentsStart`. */
  readonly text: string;
  readonly argumentsStart: number;
}

/** Settings of the server that decide whether calls are possible at all. */
export interface ToolSettings {
  readonly enableAutoToolChoice: boolean;
  readonly toolCallParser: string | undefined;
}

/**
 * The call that a request demands: a named one, or the first tool when one is required. Under
 * `auto` none is; see `chosenCall`.
 *
 * @throws {ApiError} 400 if the server was not set up for calls, as vLLM refuses them.
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
 * What the emulated model does with tools under `auto`: it calls one in about half of the turns of a
 * user, and answers results of calls in text, so that a client's loop of calls comes to an end.
 *
 * @param draw Decides; the same draw always chooses the same.
 */
export function chosenCall(request: ChatRequest, draw: number): ToolCall | undefined {
  const tools = request.tools ?? [];
  const { tool_choice: choice, response_format: format } = request;
  const isAuto = choice == null || choice === 'auto';
  const isFree = request.structured_outputs == null && (format == null || format.type === 'text');
  if (!isAuto || !isFree || tools.length === 0) return undefined;
  if (request.messages?.at(-1)?.['role'] !== 'user' || draw % 2 === 0) return undefined;
  const tool = tools[Math.floor(draw / 2) % tools.length] as Tool;
  const isPossible = schemaInstance(tool.function?.parameters ?? { type: 'object' }) !== undefined;
  return isPossible ? callOf(tool) : undefined;
}

function callOf(tool: Tool): ToolCall {
  const name = tool.function?.name ?? '';
  // A schema that names no type of JSON holds nobody; whether it may is for the engine to say.
  const instance = schemaInstance(tool.function?.parameters ?? { type: 'object' });
  const argumentsJson = spacedJson(instance ?? {});
  const before = `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": `;
  return {
    name,
    argumentsJson,
    text: `${before}${argumentsJson}}\n</tool_call>`,
    argumentsStart: before.length,
  };
}

/** With a space after commas and colons, as models that learnt from Python write JSON. */
function spacedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const pairs = Object.entries(value).map(
      ([key, one]) => `${JSON.stringify(key)}: ${spacedJson(one)}`,
    );
    return `{${pairs.join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** What a client gets of a call at a time: its name first, then pieces of its arguments. */
export interface ToolCallDelta {
  readonly id?: string;
  readonly type?: 'function';
  readonly index: number;
  readonly function: { readonly name?: string; readonly arguments?: string };
}

/** Cuts a call that streams in as text into the deltas that a client gets. */
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
    const end = Math.min(argumentsJson.length, this.#seen - argumentsStart);
    if (end > start) {
      deltas.push({ index: 0, function: { arguments: argumentsJson.slice(start, end) } });
    }
    return deltas;
  }
}
