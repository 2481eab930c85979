// Rows of datasets of texts: what is asked, and what was answered.
import { InputError } from '../../core/base/index.ts';
import {
  contentsOfRow,
  expectedTexts,
  nameOfContents,
  type TextShape,
} from '../../core/traces/index.ts';

export interface TextMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** What a row asks. */
export interface TextRow {
  readonly shape: TextShape;
  /** The prompt: what comes before the answer. */
  readonly messages: readonly TextMessage[];
  /** The answer that the row has, whose length the response gets. */
  readonly answer: string | undefined;
  /** Length of the response, as the row gives it. */
  readonly outputTokens: number | undefined;
}

/** A row of a file, and where it is. */
export interface FoundRow {
  readonly row: unknown;
  /** File and line, or file and position in a list. */
  readonly where: string;
}

/**
 * Returns what the rows ask; the first decides the shape of all. Conversations of fewer than two turns are left out, as
 * vLLM does.
 *
 * @throws {InputError} If the rows are of no known shape, or one has no text.
 */
export function textRows(found: readonly FoundRow[], source: string): TextRow[] {
  const [first] = found;
  if (first === undefined) throw new InputError(`${source} has no rows.`);
  const contents = contentsOfRow(objectIn(first));
  if (contents.kind !== 'texts') {
    const hint = contents.kind === 'trace' ? ' Traces are read with --dataset-name trace.' : '';
    throw new InputError(
      `${first.where}: no dataset of texts: found ${nameOfContents(contents)}; expected ${expectedTexts}.${hint}`,
    );
  }
  const { shape } = contents;
  return found.flatMap((one) => rowOf(shape, objectIn(one), one.where) ?? []);
}

type Fields = Readonly<Record<string, unknown>>;

function objectIn({ row, where }: FoundRow): Fields {
  if (isObject(row)) return row;
  throw new InputError(`${where}: a row must be a JSON object, not ${show(row)}.`);
}

function rowOf(shape: TextShape, row: Fields, where: string): TextRow | undefined {
  const outputTokens = outputTokensOf(row, where);
  const asked = (messages: readonly TextMessage[], answer?: string): TextRow => ({
    ...{ shape, messages, answer, outputTokens },
  });
  const question = (text: string, answer: unknown) =>
    asked([{ role: 'user', content: text }], typeof answer === 'string' ? answer : undefined);
  const text = (name: string) => textOf(row[name], `${where}: ${name}`);
  switch (shape) {
    case 'conversations': {
      const turns = turnsOf(row['conversations'], `${where}: conversations`);
      const rest = turns.findIndex(({ role }) => role !== 'system');
      if (rest === -1 || turns.length < rest + 2) return undefined;
      // The first turn is the question and the second the answer, whoever is said to speak.
      const ask = { role: 'user' as const, content: turns[rest]?.content ?? '' };
      return asked([...turns.slice(0, rest), ask], turns[rest + 1]?.content);
    }
    case 'messages': {
      const turns = turnsOf(row['messages'], `${where}: messages`);
      const last = turns.at(-1);
      if (last?.role !== 'assistant') return asked(turns);
      if (turns.length > 1) return asked(turns.slice(0, -1), last.content);
      throw new InputError(`${where}: messages has only an answer; a question is expected first.`);
    }
    case 'turns': {
      const { turns } = row;
      const [ask] = Array.isArray(turns) ? (turns as readonly unknown[]) : [];
      return question(textOf(ask, `${where}: the first of turns`), undefined);
    }
    case 'prompt':
      return Array.isArray(row['prompt'])
        ? asked(turnsOf(row['prompt'], `${where}: prompt`))
        : question(text('prompt'), undefined);
    case 'instruction': {
      const input = row['input'];
      const more = typeof input === 'string' && input !== '' ? `\n\n${input}` : '';
      return question(`${text('instruction')}${more}`, row['output'] ?? row['response']);
    }
    case 'question':
      return question(text('question'), row['answer']);
    case 'problem':
      return question(text('problem'), row['solution']);
  }
}

const roles: ReadonlyMap<unknown, TextMessage['role']> = new Map([
  ...(['system', 'developer'] as const).map((name) => [name, 'system'] as const),
  ...(['user', 'human', 'tool', 'function', 'observation'] as const).map(
    (name) => [name, 'user'] as const,
  ),
  ...(['assistant', 'gpt', 'chatgpt', 'bing', 'bard', 'model'] as const).map(
    (name) => [name, 'assistant'] as const,
  ),
]);

/** Turns in either form: `from` and `value`, or `role` and `content`. */
function turnsOf(value: unknown, where: string): TextMessage[] {
  if (!Array.isArray(value)) {
    throw new InputError(`${where} must be a list of turns, not ${show(value)}.`);
  }
  return value.map((turn: unknown, index) => {
    const at = `${where}[${index}]`;
    if (!isObject(turn)) throw new InputError(`${at} must be an object, not ${show(turn)}.`);
    const { from, value: said, role, content } = turn;
    if (from === undefined && role === undefined) {
      throw new InputError(
        `${at} has the fields ${Object.keys(turn).slice(0, 8).join(', ') || 'none'}; expected from and value, or role and content.`,
      );
    }
    return { role: roles.get(role ?? from) ?? 'user', content: contentOf(content ?? said, at) };
  });
}

/** A text, or OpenAI's parts, of which the texts count. */
function contentOf(content: unknown, where: string): string {
  if (content === null) return '';
  if (!Array.isArray(content)) return textOf(content, where);
  return content
    .map((part: unknown) =>
      isObject(part) && typeof part['text'] === 'string' ? part['text'] : '',
    )
    .join('');
}

function textOf(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  throw new InputError(`${where} must be a text, not ${show(value)}.`);
}

function outputTokensOf(row: Fields, where: string): number | undefined {
  const value = row['output_tokens'];
  if (value === undefined || value === null || value === '') return undefined;
  const tokens = Number(value);
  if (Number.isSafeInteger(tokens) && tokens >= 1) return tokens;
  throw new InputError(`${where}: output_tokens must be a whole number >= 1, not ${show(value)}.`);
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
