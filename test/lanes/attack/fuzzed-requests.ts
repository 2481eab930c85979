// Generates hostile requests: random fields with random values, of which few are large, and some bodies that are no JSON.
import { type Random, seededRandom } from '../../../src/core/base/index.ts';
import type { HostileRequest } from './hostile-requests.ts';

export interface FuzzedRequest extends HostileRequest {
  /** The client disconnects after this time. */
  readonly patienceMs: number | undefined;
}

/** Equal numbers give equal requests. */
export function fuzzedRequest(seed: number, index: number): FuzzedRequest {
  const draw = new Draw(seededRandom(seed * 1_000_003 + index));
  const path = draw.one(Object.keys(bases));
  const fields: Record<string, unknown> = { model: 'm', ...bases[path]?.(draw) };
  for (let i = draw.below(4); i > 0; i--) {
    const [name, value] = draw.one(Object.entries(hostileFields));
    fields[name] = draw.isOne(10) ? draw.json(3) : value(draw);
  }
  let body = JSON.stringify(fields);
  if (draw.isOne(15)) body = draw.spoiled(body);
  return { path, body, patienceMs: draw.isOne(15) ? 1 + draw.below(50) : undefined };
}

/** What may be in a text, over and over. */
const units = [
  ...[
    ' ',
    '\n',
    '\t',
    '\r\n',
    'a',
    'A',
    'ab',
    'word ',
    '7',
    '0',
    '!',
    '-',
    '"',
    '\\',
    '/',
    '<',
    '{',
  ],
  ...[
    'é',
    'e\u0301',
    '\u0301',
    '\u0301\u0316',
    '漢',
    '\u1112\u1161\u11ab',
    '🧑‍🚀',
    '\0',
    '\ud800',
    '\u200d',
  ],
  ...[
    '<|im_end|>',
    '<|im_start|>',
    '<think>',
    '</think>',
    '<tool_call>',
    "'s",
    '{{',
    '{%',
    '\u3000',
    '\u00a0',
  ],
] as const;

const regexUnits = [
  'a',
  '(a|b)',
  '[a-z]',
  '.',
  '\\d',
  '(?:x)',
  '{9,}',
  '*',
  '+?',
  '(',
  ')',
  '|',
  '[^',
  '\\',
];
const grammarUnits = [
  'root ::= ',
  'start: ',
  '"a" ',
  'root ',
  'b ',
  '\nb ::= ',
  '\n',
  '| ',
  '(',
  ')',
  '{9}',
  '* ',
  '/x/ ',
];

class Draw {
  readonly #random: Random;
  /** Schemas, formats and values that may still be nested: each could have thousands of others. */
  #nestedLeft = 100_000;
  #itemsLeft = 1_000_000;
  /** Characters of texts that are still to come. */
  #charactersLeft = 20_000_000;

  constructor(random: Random) {
    this.#random = random;
  }

  below(count: number): number {
    return Math.floor(this.#random.next() * count);
  }

  isOne(of: number): boolean {
    return this.below(of) === 0;
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** Mostly small, up to `most`. */
  size(most: number): number {
    return Math.floor(most ** (this.#random.next() ** 0.7));
  }

  number(): number {
    return this.one([
      0,
      1,
      -1,
      2,
      0.5,
      5,
      100,
      1e4,
      1e6,
      1e9,
      2 ** 31 - 1,
      2 ** 53,
      1e300,
      -1e9,
      16_384,
    ]);
  }

  /** A few units, each often. */
  text(longest = 3_000_000, from: readonly string[] = units): string {
    const most = Math.max(1, Math.min(longest, this.#charactersLeft));
    let text = '';
    for (let i = 1 + this.below(3); i > 0; i--) {
      const unit = this.isOne(3) ? this.one(from) + this.one(from) : this.one(from);
      text += unit.repeat(Math.ceil(this.size(most) / unit.length));
    }
    this.#charactersLeft -= text.length;
    if (!this.isOne(3)) return text;
    // Mixed, so that nothing is the same twice.
    return Array.from({ length: Math.min(200_000, this.size(most)) }, () => this.one(from)).join(
      '',
    );
  }

  list<T>(most: number, item: (i: number) => T): T[] {
    const length = Math.min(this.size(most), this.#itemsLeft);
    this.#itemsLeft -= length;
    return Array.from({ length }, (_, i) => item(i));
  }

  json(depth: number): unknown {
    switch (depth === 0 || --this.#nestedLeft < 0 ? this.below(4) : this.below(6)) {
      case 0:
        return this.number();
      case 1:
        return this.text(1_000);
      case 2:
        return null;
      case 3:
        return this.isOne(2);
      case 4:
        return this.list(20, () => this.json(depth - 1));
      default:
        return Object.fromEntries(this.list(20, (i) => [`k${i}`, this.json(depth - 1)]));
    }
  }

  schema(depth: number): unknown {
    if (--this.#nestedLeft < 0) return { type: 'string' };
    const inner = () => (depth === 0 ? { type: 'string' } : this.schema(depth - 1));
    switch (this.below(12)) {
      case 0:
        return { type: 'array', items: inner(), minItems: this.number(), maxItems: this.number() };
      case 1:
        return { type: 'array', items: inner(), minItems: this.size(1e9) };
      case 2: {
        const properties = Object.fromEntries(this.list(depth * 300, (i) => [`p${i}`, inner()]));
        return { type: 'object', properties, required: Object.keys(properties) };
      }
      case 3:
        return { $ref: this.one(['#', '#/$defs/a', '#/$defs/b', '#/properties/p0', '#/nothing']) };
      case 4:
        return {
          [this.one(['anyOf', 'oneOf', 'allOf'])]: this.list(2_000, () => ({ type: 'integer' })),
        };
      case 5:
        return { allOf: [inner()], anyOf: [inner()], $defs: { a: inner(), b: inner() } };
      case 6:
        return { type: 'string', pattern: this.text(this.isOne(20) ? 300_000 : 300, regexUnits) };
      case 7:
        return { type: 'string', minLength: this.size(2 ** 31), maxLength: this.size(2 ** 31) };
      case 8:
        return { enum: this.list(60_000, (i) => `e${i}`) };
      case 9:
        return { type: 'number', minimum: this.number(), multipleOf: this.number() };
      case 10:
        return { type: 'array', prefixItems: this.list(10_000, () => ({ type: 'boolean' })) };
      default:
        return { type: this.one(['string', 'object', 'array', 'null', 'nothing', ['integer']]) };
    }
  }

  format(depth: number): unknown {
    if (--this.#nestedLeft < 0) return { type: 'any_text' };
    const inner = () => (depth === 0 ? { type: 'any_text' } : this.format(depth - 1));
    switch (this.below(6)) {
      case 0:
        return { type: 'sequence', elements: this.list(300, inner) };
      case 1:
        return { type: 'tag', begin: this.text(100), content: inner(), end: '>' };
      case 2:
        return { type: 'regex', pattern: this.text(10_000, regexUnits) };
      case 3:
        return { type: 'json_schema', json_schema: this.schema(2) };
      case 4:
        return { type: 'or', elements: this.list(100, inner) };
      default:
        return { type: 'grammar', grammar: this.text(10_000, grammarUnits) };
    }
  }

  message(): object {
    const role = this.one(['user', 'user', 'assistant', 'system', 'tool', 'developer', 'nobody']);
    switch (this.below(4)) {
      case 0:
        return { role, content: this.list(5_000, () => ({ type: 'text', text: this.text(100) })) };
      case 1: {
        const called = {
          name: 'f',
          arguments: this.one(['{}', '[', `[${'1,'.repeat(this.size(1e6))}1]`]),
        };
        const calls = this.list(2_000, (i) => ({ id: `${i}`, type: 'function', function: called }));
        return {
          role: 'assistant',
          tool_calls: calls.slice(0, called.arguments.length > 100 ? 2 : 2_000),
        };
      }
      case 2:
        return { role, content: this.one([null, '', 7, {}, []]) };
      default:
        return { role, content: this.text(1_000) };
    }
  }

  /** A body with a part too few, too many or in the wrong place. */
  spoiled(body: string): string {
    const at = this.below(body.length);
    const piece = this.one([
      '',
      '"',
      '{',
      '[',
      ',',
      '\\',
      '\0',
      'NaN',
      '9'.repeat(50),
      body.slice(at, at + 500_000),
    ]);
    return (
      body.slice(0, at) +
      piece +
      (this.isOne(2) ? body.slice(at + 1) : body.slice(at + this.below(1_000)))
    );
  }
}

type Value = (draw: Draw) => unknown;

/** Characters of what a request has many of. */
const repeatedCharacters = 20_000_000;

/** Repeats the same few values. */
function repeated(draw: Draw, most: number, few: readonly unknown[]): unknown[] {
  const fitting = Math.ceil((repeatedCharacters / JSON.stringify(few).length) * few.length);
  return draw.list(Math.min(most, fitting), (i) => few[i % few.length]);
}

/** Messages of which few are unlike others. */
const conversation = (draw: Draw) => {
  const few = Array.from({ length: 1 + draw.below(3) }, () => draw.message());
  return [...repeated(draw, 20_000, few), { role: 'user', content: draw.text() }];
};

/** What each route needs. */
const bases: Readonly<Record<string, (draw: Draw) => Readonly<Record<string, unknown>>>> = {
  '/v1/chat/completions': (draw) => ({ messages: conversation(draw), max_tokens: draw.size(200) }),
  '/v1/chat/completions/batch': (draw) => ({
    messages: draw.list(200, () => [{ role: 'user', content: draw.text(5_000) }]),
    max_tokens: draw.size(20),
  }),
  '/v1/completions': (draw) => ({ prompt: prompt(draw), max_tokens: draw.size(200) }),
  '/v1/responses': (draw) => ({
    input: draw.isOne(2) ? draw.text() : conversation(draw),
    max_output_tokens: draw.size(200),
  }),
  '/v1/messages': (draw) => ({ messages: conversation(draw), max_tokens: draw.size(200) }),
  '/v1/messages/count_tokens': (draw) => ({ messages: conversation(draw) }),
  '/tokenize': (draw) =>
    draw.isOne(2)
      ? { prompt: draw.text() }
      : { messages: conversation(draw), return_token_strs: true },
  '/detokenize': (draw) => ({ tokens: draw.list(1_000_000, (i) => i % 200_000) }),
};

function prompt(draw: Draw): unknown {
  switch (draw.below(4)) {
    case 0:
      return draw.list(50_000, (i) => (i * 7919) % 160_000);
    case 1:
      return draw.list(1_500, () => draw.text(1_000));
    case 2:
      return draw.list(1_100, () => draw.list(100, (i) => i));
    default:
      return draw.text();
  }
}

/** Fields with hostile values, whichever route has them. */
const hostileFields: Readonly<Record<string, Value>> = {
  n: (draw) => draw.size(20_000),
  best_of: (draw) => draw.number(),
  temperature: () => 1,
  stream: () => true,
  stop: (draw) => draw.list(5_000, (i) => `s${i}`),
  stop_token_ids: (draw) => draw.list(1_000_000, (i) => i % 150_000),
  allowed_token_ids: (draw) => draw.list(1_000_000, (i) => i % 150_000),
  bad_words: (draw) => draw.list(100_000, (i) => `w${i}`),
  logit_bias: (draw) =>
    Object.fromEntries(draw.list(100_000, (i) => [i, draw.one([1, 100, -100])])),
  logprobs: (draw) => draw.one([true, 1, 20, 5]),
  top_logprobs: (draw) => draw.one([1, 20]),
  prompt_logprobs: (draw) => draw.one([0, 1, 20]),
  echo: () => true,
  return_token_ids: () => true,
  min_tokens: (draw) => draw.number(),
  max_tokens: (draw) => draw.size(40_000),
  ignore_eos: () => true,
  use_beam_search: () => true,
  truncate_prompt_tokens: (draw) => draw.one([-1, 0, 1, 100, 40_000]),
  response_format: (draw) =>
    draw.isOne(2)
      ? { type: 'json_schema', json_schema: { name: 'x', schema: draw.schema(6) } }
      : { type: 'structural_tag', format: draw.format(3) },
  structured_outputs: (draw) =>
    draw.one([
      () => ({ json: draw.schema(6) }),
      () => ({ regex: draw.text(300_000, regexUnits) }),
      () => ({ grammar: draw.text(70_000, grammarUnits) }),
      () => ({ choice: draw.list(100_000, (i) => `c${i}`) }),
      () => ({ choice: [draw.text()] }),
      () => ({
        structural_tag: JSON.stringify({ type: 'structural_tag', format: draw.format(3) }),
      }),
    ])(),
  tools: (draw) => {
    const parameters = draw.schema(4);
    return repeated(draw, 2_000, [
      { type: 'function', function: { name: 'f0', parameters } },
      { type: 'function', function: { name: 'f1', strict: true, parameters } },
    ]);
  },
  tool_choice: (draw) =>
    draw.one(['required', 'auto', 'none', { type: 'function', function: { name: 'f0' } }]),
  chat_template_kwargs: (draw) => Object.fromEntries(draw.list(50_000, (i) => [`v${i}`, i])),
  documents: (draw) => draw.list(50_000, (i) => ({ title: `${i}`, text: 'a' })),
  continue_final_message: () => true,
  add_generation_prompt: () => false,
  kv_transfer_params: (draw) => ({ prompt_token_ids: draw.list(100_000, (i) => i) }),
  vllm_xargs: (draw) => draw.json(4),
  cache_salt: (draw) => draw.text(1_000),
  unknown: (draw) => draw.json(5),
};
