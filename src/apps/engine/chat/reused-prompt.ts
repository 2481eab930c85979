// Prompt tokens that another server computed and a client passes on: with disaggregated prefill,
// the decode engine uses those of the prefill engine.
import { badRequest, type ChatRequest } from '../../../core/api/index.ts';
import type { EmbeddedEngine } from '../runtime/embedded-engine.ts';

/**
 * @returns Undefined if the messages must be rendered: there are no tokens, the last message is
 * echoed, or something in the messages is not text.
 * @throws {ApiError} 400 if they are not tokens of the model.
 * @see vllm/renderers/online_renderer.py, `_reused_prompt_token_ids`
 */
export function reusedPrompt(
  engine: EmbeddedEngine,
  request: ChatRequest,
): readonly number[] | undefined {
  const ids = request.kv_transfer_params?.['prompt_token_ids'] ?? undefined;
  if (ids === undefined || request.echo || hasMedia(request)) return undefined;
  const param = 'kv_transfer_params.prompt_token_ids';
  const isToken = (id: unknown) => Number.isInteger(id) && Number(id) >= 0;
  if (!Array.isArray(ids) || ids.length === 0 || !ids.every(isToken)) {
    throw badRequest(
      "`kv_transfer_params['prompt_token_ids']` must be a non-empty list of non-negative integers.",
      param,
    );
  }
  const outside = (ids as number[]).find((id) => id >= engine.vocabularySize);
  if (outside !== undefined) throw badRequest(`Token id ${outside} is out of vocabulary`, param);
  return ids as number[];
}

const textTypes: ReadonlySet<unknown> = new Set([
  ...['text', 'input_text', 'output_text', 'refusal', 'thinking', 'tool_reference'],
]);
const mediaFields: readonly string[] = [
  ...['input_image', 'image_url', 'image_embeds', 'audio_embeds', 'video_embeds', 'prompt_embeds'],
  ...['image_pil', 'audio_url', 'input_audio', 'video_url'],
];

function hasMedia({ messages }: ChatRequest): boolean {
  return (messages ?? []).some(({ content }) => Array.isArray(content) && content.some(isMedia));
}

function isMedia(part: unknown): boolean {
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return false;
  const { type = 'text' } = part as { readonly type?: unknown };
  return mediaFields.some((name) => name in part) || !textTypes.has(type);
}
