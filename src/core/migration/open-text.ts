// A message or a response that consists of one text which is still growing: what a sampled stream must be to continue
// elsewhere. What parsers of reasoning and tool calls remove around later texts, the router does not see.
import type { KnownEntry } from './known-events.ts';
import type { NamedStreamKind } from './named-event.ts';

/** The only text of a response so far. */
export interface OpenText {
  readonly text: string;
  readonly isReasoning: boolean;
}

/** Marks and texts of a first block, by what they say: whether they belong to reasoning. */
type Part = boolean | 'byMark';
const parts: Readonly<Record<NamedStreamKind, ReadonlyMap<string, Part>>> = {
  messages: new Map<string, Part>([
    ['start 0', 'byMark'],
    ['text_delta 0', false],
    ['thinking_delta 0', true],
  ]),
  responses: new Map<string, Part>([
    ['response.output_item.added 0 undefined undefined', 'byMark'],
    ['response.content_part.added 0 0 undefined', 'byMark'],
    ['response.reasoning_part.added 0 0 undefined', 'byMark'],
    ['response.output_text.delta 0 0 undefined', false],
    ['response.reasoning_text.delta 0 0 undefined', true],
  ]),
};
/** Events that say nothing of the text. */
const starts = /^(?:message_start|response\.(?:created|queued|in_progress))$/;
/** Types of blocks, items and parts, as `says` of their marks begins; whether they are reasoning. */
const kinds = new Map([
  ['text', false],
  ['message', false],
  ['output_text', false],
  ['thinking', true],
  ['reasoning', true],
  ['reasoning_text', true],
]);

/** @returns Undefined if the response has, or has had, anything else. */
export function openText(
  entries: Iterable<KnownEntry>,
  kind: NamedStreamKind,
): OpenText | undefined {
  let text = '';
  let isReasoning: boolean | undefined;
  for (const { key, text: said } of entries) {
    if (starts.test(key)) continue;
    const part = parts[kind].get(key);
    if (part === undefined) return undefined;
    const isThought = part === 'byMark' ? kinds.get(typeOf(said)) : part;
    if (isThought === undefined || (isReasoning ?? isThought) !== isThought) return undefined;
    isReasoning = isThought;
    if (part !== 'byMark') text += said;
  }
  return isReasoning === undefined ? undefined : { text, isReasoning };
}

/** The type in what a mark says: a block as JSON, or a list of type and name. */
function typeOf(says: string): string {
  let value: unknown;
  try {
    value = JSON.parse(says);
  } catch {
    // An engine wrote the same mark twice.
    return '';
  }
  return String(Array.isArray(value) ? value[0] : (value as { type?: unknown } | null)?.type);
}
