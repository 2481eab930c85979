// The structural tag that holds a model to tool calls, as vLLM's Hermes parser writes it.
import type { ChatRequest, Tool } from '../../../core/protocol/index.ts';

/** How Hermes' models write a call: before and after it, with line breaks and without. */
const forms = [
  { before: '<tool_call>\n', after: '\n</tool_call>' },
  { before: '<tool_call>', after: '</tool_call>' },
] as const;

/**
 * @returns JSON of xgrammar's structural tag, or undefined if nothing holds the model: under `auto`
 *   only strict tools do.
 * @see vllm/tool_parsers/structural_tag_registry.py
 */
export function structuralTagOfTools(request: ChatRequest): string | undefined {
  const { tools, tool_choice: choice = 'auto' } = request;
  if (tools == null || tools.length === 0 || choice === 'none') return undefined;
  const isAuto = choice === 'auto' || choice === null;
  const named = typeof choice === 'object' ? choice?.function?.name : undefined;
  const wanted = tools.filter(
    (tool) => (named == null || tool.function?.name === named) && (!isAuto || isStrict(tool)),
  );
  if (wanted.length === 0) return undefined;
  const tags = wanted.flatMap(tagsOf);
  const format = isAuto
    ? { type: 'triggered_tags', triggers: ['<tool_call>'], tags, at_least_one: false }
    : { type: 'tags_with_separator', tags, separator: '', at_least_one: true };
  return JSON.stringify({ type: 'structural_tag', format: { ...format, stop_after_first: false } });
}

function isStrict(tool: Tool): boolean {
  return (tool.function as { strict?: unknown } | undefined)?.strict === true;
}

function tagsOf(tool: Tool): object[] {
  const { name, parameters } = tool.function ?? {};
  const content = { type: 'json_schema', json_schema: isStrict(tool) ? parameters : true };
  return forms.map(({ before, after }) => ({
    type: 'tag',
    begin: `${before}{"name": ${JSON.stringify(name)}, "arguments": `,
    content,
    end: `}${after}`,
  }));
}
