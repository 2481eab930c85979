// The structural tag that constrains a model to tool calls, as vLLM's Hermes parser writes it.
import {
  type ChatRequest,
  constraintOf,
  type StructuredOutputs,
  type Tool,
} from '../../../core/api/index.ts';
import { constrainedText } from './constrained-text.ts';

/** The text before and after a tool call of Hermes' models, with and without line breaks. */
const forms = [
  { before: '<tool_call>\n', after: '\n</tool_call>' },
  { before: '<tool_call>', after: '</tool_call>' },
] as const;

/**
 * @param parser The server's parser; without one tools do not constrain the model.
 * @returns JSON of xgrammar's structural tag, or undefined if nothing constrains the model: with
 * `auto` only strict tools do, or a request for a single call.
 * @see vllm/parser/abstract_parser.py, `_apply_structural_tag`;
 * tool_parsers/structural_tag_registry.py
 */
export function structuralTagOfTools(
  request: ChatRequest,
  parser: string | undefined,
): string | undefined {
  const { tools, tool_choice: choice = 'auto' } = request;
  if (parser === undefined || tools == null || tools.length === 0) return undefined;
  if (choice === 'none' || choice === null) return undefined;
  const given = constraintOf(request);
  if (choice === 'auto' && given && !isForXgrammar(given)) return undefined;
  const isSingle = request.parallel_tool_calls === false && !(choice === 'auto' && given);
  if (choice === 'auto' && !isSingle && !tools.some(isStrict)) return undefined;
  const named = typeof choice === 'object' ? choice.function?.name : undefined;
  const tags = tools
    .filter((tool) => named == null || tool.function?.name === named)
    .flatMap(tagsOf);
  // A choice that is not a function of the list does not constrain the model.
  if (tags.length === 0) return undefined;
  const stops = isSingle || named != null;
  const isFree = choice === 'auto' && given === undefined;
  const format = {
    ...(isFree
      ? { type: 'triggered_tags', triggers: ['<tool_call>'], tags, at_least_one: false }
      : { type: 'tags_with_separator', tags, separator: '', at_least_one: true }),
    stop_after_first: stops,
  };
  const free = choice === 'auto' && given ? formatOf(given) : undefined;
  const whole = free ? { type: 'or', elements: [format, free] } : format;
  return JSON.stringify({ type: 'structural_tag', format: whole });
}

/** Returns whether it can be part of a tag: xgrammar must accept it. */
function isForXgrammar(outputs: StructuredOutputs): boolean {
  if (outputs.structural_tag != null) return false;
  try {
    constrainedText(outputs, 'xgrammar');
    return true;
  } catch {
    return false;
  }
}

/** Returns the format of the response without a tool call. @see `structured_outputs_to_format` */
function formatOf(outputs: StructuredOutputs): object {
  const { json, regex, choice, grammar } = outputs;
  if (json != null) {
    return { type: 'json_schema', json_schema: typeof json === 'string' ? JSON.parse(json) : json };
  }
  if (regex != null) return { type: 'regex', pattern: regex };
  if (choice != null) {
    const elements = choice.map((value) => ({ type: 'const_string', value }));
    return { type: 'or', elements };
  }
  if (grammar != null) return { type: 'grammar', grammar };
  return { type: 'json_schema', json_schema: { type: 'object' } };
}

function isStrict(tool: Tool): boolean {
  return (tool.function as { strict?: unknown } | undefined)?.strict === true;
}

function tagsOf(tool: Tool): object[] {
  const { name, parameters } = tool.function ?? {};
  const content = {
    type: 'json_schema',
    json_schema: isStrict(tool) ? (parameters ?? true) : true,
  };
  return forms.map(({ before, after }) => ({
    type: 'tag',
    begin: `${before}{"name": ${JSON.stringify(name)}, "arguments": `,
    content,
    end: `}${after}`,
  }));
}
