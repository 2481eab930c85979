// What a file of requests holds, recognised by the names of its fields: traces, datasets of texts, and files that are
// neither, for a sentence that names them.

/** Traces: when requests arrive, and how long they are. */
export type TraceFormat = 'blocks-jsonl' | 'azure-csv' | 'burstgpt-csv';

/** Datasets: texts without arrival times, by the shape of a row. */
export type TextShape =
  | 'conversations'
  | 'messages'
  | 'prompt'
  | 'turns'
  | 'instruction'
  | 'question'
  | 'problem';

/** What the fields of a row say. */
export type FileContents =
  | { readonly kind: 'trace'; readonly format: TraceFormat }
  | { readonly kind: 'texts'; readonly shape: TextShape }
  | { readonly kind: 'other'; readonly fields: string };

/** The formats of traces, for a sentence about a file of none of them. */
export const expectedTraces =
  'JSON lines with timestamp, input_length, output_length and hash_ids (Mooncake, Qwen-Bailian), CSV with the columns TIMESTAMP, ContextTokens and GeneratedTokens (Azure), or CSV with Timestamp, Request tokens and Response tokens (BurstGPT)';

/** The formats of datasets, likewise. */
export const expectedTexts =
  'ShareGPT (conversations of from and value, or role and content), OpenAI messages (messages of role and content), prompts (prompt, and output_tokens if lengths differ), questions with turns, instruction and output, question and answer, or problem and solution, as JSON, JSON lines or CSV';

/** A format by the fields that every row has. */
interface Known<Kind> {
  readonly kind: Kind;
  readonly fields: readonly string[];
}

const csvTraces: readonly Known<TraceFormat>[] = [
  { kind: 'azure-csv', fields: ['timestamp', 'contexttokens', 'generatedtokens'] },
  { kind: 'burstgpt-csv', fields: ['timestamp', 'request tokens', 'response tokens'] },
];

const textShapes: readonly Known<TextShape>[] = [
  { kind: 'conversations', fields: ['conversations'] },
  { kind: 'messages', fields: ['messages'] },
  { kind: 'turns', fields: ['turns'] },
  { kind: 'prompt', fields: ['prompt'] },
  { kind: 'instruction', fields: ['instruction'] },
  { kind: 'question', fields: ['question', 'answer'] },
  { kind: 'problem', fields: ['problem', 'solution'] },
];

/** Files of other programs that people have next to those, by fields that only they have. */
const others: readonly (Known<string> & { readonly hint?: string })[] = [
  { kind: 'WildChat', fields: ['conversation_hash', 'conversation'] },
  { kind: 'LMSYS-Chat', fields: ['conversation_id', 'conversation'] },
  {
    kind: 'sessions of Dynamo, whose requests wait for responses',
    fields: ['delay', 'input_length'],
  },
  {
    kind: 'a trace of inference-perf',
    fields: ['timestamp', 'prompt_tokens', 'completion_tokens'],
  },
  { kind: 'a result of vllm bench serve', fields: ['request_throughput', 'completed'] },
];

/** Characters that no name of a column has: control characters, and what a decoder writes for a byte of no text. */
const binary = /[\p{Cc}\uFFFD]/u;

/** Number of fields that are named in an error. */
const namedMax = 8;

/** Returns what a JSON row holds. Any of the fields of a trace with block ids makes it one, so that errors name what lacks. */
export function contentsOfRow(row: Readonly<Record<string, unknown>>): FileContents {
  const fields = Object.keys(row);
  const text = textShapes.find((shape) => hasAll(fields, shape.fields));
  const other = others.find((one) => hasAll(fields, one.fields));
  if (other !== undefined) return { kind: 'other', fields: described(fields, other.kind) };
  if (fields.includes('input_length') || fields.includes('hash_ids')) {
    return { kind: 'trace', format: 'blocks-jsonl' };
  }
  if (text !== undefined) return { kind: 'texts', shape: text.kind };
  return { kind: 'other', fields: described(fields) };
}

/** Returns what a CSV file with these columns holds. */
export function contentsOfColumns(columns: readonly string[]): FileContents {
  if (columns.some((column) => binary.test(column) || column.startsWith('PAR1'))) {
    return { kind: 'other', fields: 'binary data, such as Parquet' };
  }
  const names = columns.map((column) => column.toLowerCase());
  const trace = csvTraces.find((format) => hasAll(names, format.fields));
  if (trace !== undefined) return { kind: 'trace', format: trace.kind };
  const other = others.find((one) => hasAll(names, one.fields));
  if (other !== undefined) return { kind: 'other', fields: described(columns, other.kind) };
  const text = textShapes.find((shape) => hasAll(names, shape.fields));
  if (text !== undefined) return { kind: 'texts', shape: text.kind };
  return { kind: 'other', fields: described(columns) };
}

/** Names what a file holds, for an error. @example 'the fields a, b (WildChat)' */
export function nameOfContents(contents: FileContents): string {
  switch (contents.kind) {
    case 'trace':
      return 'a trace, whose requests have lengths but no text';
    case 'texts':
      return `texts (${contents.shape}), which have no arrival times`;
    case 'other':
      return contents.fields;
  }
}

function hasAll(fields: readonly string[], needed: readonly string[]): boolean {
  return needed.every((field) => fields.includes(field));
}

function described(fields: readonly string[], name?: string): string {
  if (fields.length === 0) return 'rows without fields';
  const shown = fields.slice(0, namedMax).map((field) => field.slice(0, 40));
  const more = fields.length > namedMax ? `, and ${fields.length - namedMax} more` : '';
  return `the fields ${shown.join(', ')}${more}${name === undefined ? '' : ` (${name})`}`;
}
