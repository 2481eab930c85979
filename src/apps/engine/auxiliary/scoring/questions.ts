// The types of questions of /v1/systemone: the question for the model, and the answer from the
// probabilities of its labels. @see
// vllm/entrypoints/generate/structured_decisions/question_types.py
import {
  badRequest,
  pythonRepr,
  pythonValue,
  type QuestionSpec,
} from '../../../../core/api/index.ts';

interface Option {
  readonly name: string;
  readonly description: string | undefined;
}

export interface Question {
  readonly id: string;
  /** The labels that the model may choose, one per option. */
  readonly labels: readonly string[];
  /** The text that the model reads after the state. */
  readonly text: string;
  /** @param shares Shares of the labels; their sum is 1. @param mass Their total probability. */
  readonly answer: (shares: readonly number[], mass: number) => object;
}

interface QuestionType {
  readonly labels: readonly string[];
  readonly reply: string;
  /** @throws {ApiError} 400 for criteria in another form. */
  readonly options: (id: string, criteria: unknown) => readonly Option[];
  readonly line: (label: string, option: Option) => string;
  readonly answer: (options: readonly Option[], shares: readonly number[], mass: number) => object;
}

const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];

/** The number of labels of a type limits its options. */
const types: Readonly<Record<string, QuestionType>> = {
  choice: {
    labels: letters,
    reply: 'Answer with the letter of one option only.',
    options: (id, criteria) => {
      if (!isObject(criteria) || Object.keys(criteria).length === 0) {
        throw wrong(id, 'choice criteria must map option names to a description or null');
      }
      return Object.entries(criteria).map(([name, description]) => ({
        name,
        description: written(description),
      }));
    },
    line: namedLine,
    answer: (options, shares, mass) => ({
      type: 'choice',
      choice: options[likeliest(shares)]?.name,
      probabilities: Object.fromEntries(options.map(({ name }, i) => [name, shares[i]])),
      confidence: Math.max(...shares) * mass,
    }),
  },
  noul: {
    labels: ['yes', 'no'],
    reply: 'Answer with yes or no only.',
    options: (id, criteria) => {
      const given = criteria ?? {};
      const isKnown =
        isObject(given) && Object.keys(given).every((name) => name === 'true' || name === 'false');
      if (!isKnown) throw wrong(id, 'noul criteria must be an object with true and false');
      return [
        { name: 'yes', description: written(given['true']) },
        { name: 'no', description: written(given['false']) },
      ];
    },
    line: (label, { description }) => (description ? `${label}: ${description}` : label),
    answer: (_options, [yes = 0, no = 0], mass) => ({
      type: 'noul',
      noul: yes,
      probabilities: { yes, no },
      confidence: Math.max(yes, no) * mass,
    }),
  },
  score: {
    labels: [...'0123456789'],
    reply: 'Answer with the number of one level only.',
    options: (id, criteria) => {
      if (!Array.isArray(criteria) || criteria.length < 2) {
        throw wrong(id, 'score criteria must be an ordered list of levels');
      }
      return criteria.map((level) => ({ name: written(level) ?? 'None', description: undefined }));
    },
    line: namedLine,
    answer: (options, shares, mass) => ({
      type: 'score',
      score: shares.reduce((total, share, i) => total + i * share, 0),
      legend: Object.fromEntries(options.map(({ name }, i) => [`${i}`, name])),
      probabilities: Object.fromEntries(shares.map((share, i) => [`${i}`, share])),
      confidence: Math.max(...shares) * mass,
    }),
  },
};

/** @throws {ApiError} 400 for an invalid question. */
export function questionOf(id: string, spec: QuestionSpec): Question {
  const unknown = Object.keys(spec).filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw wrong(id, `unknown field(s) ${pythonValue(unknown.toSorted())}`);
  }
  if (id === '') throw badRequest('question ids must be non-empty');
  const name = String(spec.type);
  const type = Object.hasOwn(types, name) ? types[name] : undefined;
  if (type === undefined) {
    const supported = pythonValue(Object.keys(types).toSorted());
    throw badRequest(`unknown question type ${pythonRepr(name)}; supported: ${supported}`);
  }
  const options = type.options(id, spec.criteria);
  if (new Set(options.map((option) => option.name)).size !== options.length) {
    throw wrong(id, 'duplicate option names');
  }
  if (options.length > type.labels.length) {
    throw wrong(id, `at most ${type.labels.length} options for this model`);
  }
  const labels = type.labels.slice(0, options.length);
  const asked = written(spec.instructions) ?? '';
  const lines = [
    ...(asked === '' ? [] : [`Question: ${asked}`]),
    ...options.map((option, i) => type.line(labels[i] as string, option)),
    type.reply,
  ];
  const answer = (shares: readonly number[], mass: number) => type.answer(options, shares, mass);
  return { id, labels, text: lines.join('\n'), answer };
}

const known: ReadonlySet<string> = new Set(['type', 'instructions', 'criteria']);

function wrong(id: string, words: string): Error {
  return badRequest(`question ${pythonRepr(id)}: ${words}`);
}

function namedLine(label: string, { name, description }: Option): string {
  return description ? `${label}: ${name} - ${description}` : `${label}: ${name}`;
}

/** Like Python's str(); null counts as absent. */
function written(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  return typeof value === 'string' ? value : pythonValue(value);
}

function likeliest(shares: readonly number[]): number {
  return shares.indexOf(Math.max(...shares));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
