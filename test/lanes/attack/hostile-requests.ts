// Requests of which each costs an engine far more than its client, were they not bounded: one entry for each way.

/** A request, as its path and its body. */
export interface HostileRequest {
  readonly path: string;
  readonly body: string;
}

const megabyte = 1_000_000;
/** About as many characters as the context of the model under attack can hold. */
const promptCharacters = 4 * megabyte;

type Fields = Readonly<Record<string, unknown>>;

function chat(fields: Fields): HostileRequest {
  const messages = [{ role: 'user', content: 'Hi' }];
  return {
    path: '/v1/chat/completions',
    body: JSON.stringify({ model: 'm', max_tokens: 5, messages, ...fields }),
  };
}

function said(content: unknown): HostileRequest {
  return chat({ messages: [{ role: 'user', content }] });
}

function completion(fields: Fields): HostileRequest {
  return {
    path: '/v1/completions',
    body: JSON.stringify({ model: 'm', max_tokens: 5, prompt: 'Hi', ...fields }),
  };
}

/** A body whose `prompt` is written by hand, for values that would be slow to build. */
function prompted(prompt: string, path = '/v1/completions'): HostileRequest {
  return { path, body: `{"model":"m","max_tokens":5,"prompt":${prompt}}` };
}

function schemed(schema: unknown): HostileRequest {
  return chat({
    response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
  });
}

function formed(outputs: Fields): HostileRequest {
  return chat({ structured_outputs: outputs });
}

function called(parameters: unknown, count = 1): HostileRequest {
  const tools = Array.from({ length: count }, (_, i) => ({
    type: 'function',
    function: { name: `f${i}`, parameters },
  }));
  return chat({ tools, tool_choice: 'required' });
}

/** `levels` objects, each within the one before. */
function nested(levels: number, inner: (schema: unknown) => unknown): unknown {
  let schema: unknown = { type: 'string' };
  for (let i = 0; i < levels; i++) schema = inner(schema);
  return schema;
}

/** Definitions of which each refers twice to the next. */
function doubling(levels: number): Fields {
  const $defs: Record<string, unknown> = { [`d${levels}`]: { type: 'string' } };
  for (let i = 0; i < levels; i++) {
    const next = { $ref: `#/$defs/d${i + 1}` };
    const properties = { a: next, b: next };
    $defs[`d${i}`] = { type: 'object', properties, required: ['a', 'b'] };
  }
  return { $ref: '#/$defs/d0', $defs };
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `name${i}`);
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i % 1_000);
const filled = (character: string, characters = promptCharacters) =>
  character.repeat(characters / character.length);

const texts: Readonly<Record<string, string>> = {
  spaces: ' ',
  newlines: '\n',
  'spaces and newlines': ' \n',
  tabs: '\t',
  emoji: '🧑‍🚀',
  digits: '7',
  'one letter': 'a',
  'two letters': 'ab',
  'one accented letter': 'e\u0301',
  'combining marks': '\u0301',
  'combining marks out of order': '\u0301\u0316',
  punctuation: '!',
  'punctuation of many kinds': '!?.,;:',
  'Chinese letters': '漢',
  'Hangul letters by parts': '\u1112\u1161\u11ab',
  'special tokens': '<|im_end|>',
  'beginnings of special tokens': '<|im_en',
  words: 'word ',
  apostrophes: "'s",
  'zero bytes': '\0',
};

const textRequests: Readonly<Record<string, () => HostileRequest>> = Object.fromEntries(
  Object.entries(texts).flatMap(([what, text]) => [
    [`a prompt of ${what}`, () => completion({ prompt: filled(text) })],
    [`a message of ${what}`, () => said(filled(text))],
  ]),
);

/** Name of each request, in words, to the request; each is built when it is sent. */
export const hostileRequests: Readonly<Record<string, () => HostileRequest>> = {
  'a list of a billion items': () =>
    schemed({ type: 'array', minItems: 1e9, items: { type: 'string' } }),
  'a list of a million lists of a million items': () =>
    schemed({
      ...{ type: 'array', minItems: 1e6 },
      items: { type: 'array', minItems: 1e6, items: { type: 'string' } },
    }),
  'lists of ten items, 30 levels deep': () =>
    schemed(nested(30, (items) => ({ type: 'array', minItems: 10, items }))),
  'a text of a billion letters': () => schemed({ type: 'string', minLength: 1e9 }),
  'a text of two billion letters': () => schemed({ type: 'string', minLength: 2 ** 31 - 1 }),
  'a billion properties': () => schemed({ type: 'object', minProperties: 1e9 }),
  'a list of at most a billion items': () =>
    schemed({ type: 'array', maxItems: 1e9, minItems: 1e9 - 1, items: { type: 'integer' } }),
  'a schema of 60 levels': () =>
    schemed(nested(60, (a) => ({ type: 'object', properties: { a }, required: ['a'] }))),
  'a schema of 400 levels': () =>
    schemed(nested(400, (a) => ({ type: 'object', properties: { a }, required: ['a'] }))),
  'a schema that is its own property': () =>
    schemed({ type: 'object', properties: { a: { $ref: '#' }, b: { $ref: '#' } } }),
  'a reference to itself': () =>
    schemed({ $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/a' } } }),
  'references that double, 30 levels': () => schemed(doubling(30)),
  'references that double, 60 levels': () => schemed(doubling(60)),
  'a reference of a million parts': () => schemed({ $ref: `#${'/a'.repeat(megabyte)}` }),
  'a million references': () =>
    schemed({
      type: 'array',
      prefixItems: Array.from({ length: 200_000 }, () => ({ $ref: '#/$defs/a' })),
      $defs: { a: { type: 'string' } },
    }),
  'an enum of 500,000 names': () => schemed({ enum: names(500_000) }),
  '100,000 properties': () =>
    schemed({
      type: 'object',
      properties: Object.fromEntries(names(100_000).map((name) => [name, { type: 'string' }])),
    }),
  '500,000 required names': () => schemed({ type: 'object', required: names(500_000) }),
  'allOf of 100,000 schemas': () =>
    schemed({ allOf: Array.from({ length: 100_000 }, () => ({ type: 'object' })) }),
  'oneOf of 100,000 schemas': () =>
    schemed({ oneOf: Array.from({ length: 100_000 }, () => ({ type: 'object' })) }),
  'allOf of properties, 14 levels': () =>
    schemed(nested(14, (one) => ({ allOf: [one], properties: { a: one } }))),
  'a pattern of a billion letters': () =>
    schemed({ type: 'string', pattern: '((a{1000}){1000}){1000}' }),
  '100,000 patterns': () =>
    schemed({
      type: 'array',
      prefixItems: Array.from({ length: 50_000 }, () => ({ type: 'string', pattern: 'a{9999}' })),
    }),
  'a pattern of 4 MB': () => schemed({ type: 'string', pattern: filled('a?') }),
  'a number below 1e308 in steps of 1e-300': () =>
    schemed({ type: 'number', minimum: 1e308, multipleOf: 1e-300 }),
  'a regex of counted groups': () => formed({ regex: '(((a{1,1000}){1,1000}){1,1000}){1,1000}' }),
  'a regex of nested stars': () => formed({ regex: `${'('.repeat(400)}a${'*)'.repeat(400)}` }),
  'a regex of 100,000 groups': () =>
    formed({ regex: `${'('.repeat(100_000)}a${')'.repeat(100_000)}` }),
  'a regex of 4 MB': () => formed({ regex: filled('[a-z]') }),
  'a regex of 200,000 counts': () => formed({ regex: 'a{1000}'.repeat(200_000) }),
  'a regex of one class with 4 MB': () => formed({ regex: `[^${filled('ab')}]` }),
  'a regex of alternatives': () => formed({ regex: filled('a|') }),
  'a grammar that begins with itself': () => formed({ grammar: 'root ::= root "a" | "a"' }),
  'a grammar that doubles': () =>
    formed({
      grammar: Array.from(
        { length: 60 },
        (_, i) => `${i === 0 ? 'root' : `r${i}`} ::= ${i === 59 ? '"a"' : `r${i + 1} r${i + 1}`}`,
      ).join('\n'),
    }),
  'a grammar of counts': () =>
    formed({ grammar: 'root ::= a{1000}\na ::= b{1000}\nb ::= c{1000}\nc ::= "x"{1000}' }),
  'a grammar of 60,000 characters in one rule': () =>
    formed({ grammar: `root ::= ${'"a" '.repeat(15_000)}` }),
  'a grammar of 10,000 rules': () =>
    formed({ grammar: `root ::= "a"\n${names(5_000).join(' ::= "a"\n')} ::= "a"` }),
  'a grammar of 4 MB': () => formed({ grammar: `root ::= ${filled('"a" ')}` }),
  'a grammar of brackets': () => formed({ grammar: `root ::= ${'('.repeat(60_000)}` }),
  'a grammar of backslashes': () => formed({ grammar: `root ::= "${'\\'.repeat(60_001)}` }),
  'a grammar of spaces': () => formed({ grammar: `root ::= "a"${' '.repeat(60_000)}x!` }),
  'a Lark grammar of imports': () =>
    formed({ grammar: `start: "a"\n${'%import common.WORD\n'.repeat(3_000)}` }),
  '500,000 choices': () => formed({ choice: names(500_000) }),
  'a choice of 4 MB': () => formed({ choice: [filled('a')] }),
  'a structural tag of 100,000 tags': () =>
    chat({
      response_format: {
        type: 'structural_tag',
        structures: names(20_000).map((name) => ({
          ...{ begin: `<${name}>`, schema: { type: 'object' }, end: '>' },
        })),
        triggers: names(20_000).map((name) => `<${name}>`),
      },
    }),
  'a structural tag that repeats formats': () =>
    formed({
      structural_tag: JSON.stringify({
        type: 'structural_tag',
        format: {
          type: 'sequence',
          elements: Array.from({ length: 50_000 }, () => ({ type: 'regex', pattern: 'a{9999}' })),
        },
      }),
    }),
  '200,000 stop texts': () => chat({ stop: names(200_000) }),
  'a stop text of 4 MB': () => chat({ stop: [filled('a')], max_tokens: 200 }),
  '100,000 biased tokens': () =>
    chat({ logit_bias: Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [i, 1])) }),
  '500,000 biases of no token': () =>
    chat({ logit_bias: Object.fromEntries(names(500_000).map((name) => [name, 1])) }),
  '16,384 choices of a response': () => chat({ n: 16_384, temperature: 1 }),
  '16,384 choices with log probabilities': () =>
    completion({ n: 16_384, logprobs: 20, temperature: 1, max_tokens: 20 }),
  '16,384 beams': () => completion({ n: 16_384, use_beam_search: true }),
  '200,000 bad words': () => chat({ bad_words: names(200_000) }),
  '500,000 empty bad words': () => chat({ bad_words: names(500_000).map(() => ' ') }),
  'two million allowed tokens': () => chat({ allowed_token_ids: numbers(2 * megabyte) }),
  'two million allowed tokens that do not exist': () =>
    chat({ allowed_token_ids: numbers(2 * megabyte).map(() => 1e9) }),
  'two million stop tokens': () => chat({ stop_token_ids: numbers(2 * megabyte), max_tokens: 200 }),
  '20,000 tools': () => called({ type: 'object' }, 20_000),
  'a tool with a schema that doubles': () => called(doubling(30)),
  'a tool with a list of a billion items': () =>
    called({ type: 'array', minItems: 1e9, items: { type: 'string' } }),
  'a tool with a schema of 2,000 levels': () => ({
    path: '/v1/chat/completions',
    body: `{"model":"m","messages":[{"role":"user","content":"Hi"}],"tool_choice":"required","tools":[{"type":"function","function":{"name":"f","parameters":${'{"items":'.repeat(900)}{}${'}'.repeat(900)}}}]}`,
  }),
  'a tool with 2 MB of schema': () =>
    called({
      type: 'object',
      properties: Object.fromEntries(names(40_000).map((name) => [name, { type: 'string' }])),
    }),
  '5,000 messages': () =>
    chat({ messages: Array.from({ length: 5_000 }, () => ({ role: 'user', content: 'a' })) }),
  '500,000 messages': () => ({
    path: '/v1/chat/completions',
    body: `{"model":"m","messages":[{"role":"user","content":"a"}${',{"role":"user","content":"a"}'.repeat(500_000)}]}`,
  }),
  '500,000 empty messages': () => ({
    path: '/v1/chat/completions',
    body: `{"model":"m","messages":[{"role":"user"}${',{"role":"system"}'.repeat(500_000)}]}`,
  }),
  '20,000 messages of tools': () =>
    chat({
      messages: Array.from({ length: 20_000 }, (_, i) =>
        i % 2 === 0
          ? {
              role: 'assistant',
              tool_calls: [
                { id: `${i}`, type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
              ],
            }
          : { role: 'tool', tool_call_id: `${i - 1}`, content: '1' },
      ),
    }),
  'a million content parts': () =>
    said(Array.from({ length: 500_000 }, () => ({ type: 'text', text: 'a' }))),
  'a tool call with arguments of 4 MB': () =>
    chat({
      messages: [
        { role: 'user', content: 'Hi' },
        {
          role: 'assistant',
          tool_calls: [
            {
              ...{ id: 'a', type: 'function' },
              function: { name: 'f', arguments: `{"a":[${'1,'.repeat(promptCharacters / 2)}1]}` },
            },
          ],
        },
      ],
    }),
  '40 tool calls with arguments of 300 kB': () =>
    chat({
      messages: Array.from({ length: 40 }, (_, i) => ({
        role: 'assistant',
        tool_calls: [
          {
            ...{ id: `${i}`, type: 'function' },
            function: { name: 'f', arguments: `[${'1,'.repeat(150_000)}1]` },
          },
        ],
      })),
    }),
  'a chat template of its own': () =>
    chat({ chat_template: '{% for i in range(1000000000) %}{{ i }}{% endfor %}' }),
  'variables of a template with 2 MB': () =>
    chat({ chat_template_kwargs: Object.fromEntries(names(100_000).map((name) => [name, name])) }),
  'variables of a template that are nested': () => ({
    path: '/v1/chat/completions',
    body: `{"model":"m","messages":[{"role":"user","content":"Hi"}],"chat_template_kwargs":{"a":${'['.repeat(900)}${']'.repeat(900)}}}`,
  }),
  '200,000 documents': () =>
    chat({ documents: names(200_000).map((name) => ({ title: name, text: name })) }),
  'an image of 20 MB': () =>
    said([
      {
        type: 'image_url',
        image_url: { url: `data:image/png;base64,${filled('A', 20 * megabyte)}` },
      },
    ]),
  'a million arrays as prompt': () => prompted(`[[1]${',[1]'.repeat(megabyte)}]`),
  'two million empty arrays as prompt': () => prompted(`[[]${',[]'.repeat(2 * megabyte)}]`),
  'a million texts as prompt': () => prompted(`["a"${',"a"'.repeat(megabyte)}]`),
  '2,000 texts as prompt': () => prompted(`["a"${',"a"'.repeat(2_000)}]`),
  'ten million tokens as prompt': () => prompted(`[1${',1'.repeat(10 * megabyte)}]`),
  'ten million objects as prompt': () => prompted(`[{}${',{}'.repeat(10 * megabyte)}]`),
  'ten million numbers of an unknown field': () => ({
    path: '/v1/completions',
    body: `{"model":"m","prompt":"Hi","x":[1${',1'.repeat(10 * megabyte)}]}`,
  }),
  'ten million texts of an unknown field': () => ({
    path: '/v1/completions',
    body: `{"model":"m","prompt":"Hi","x":[""${',""'.repeat(10 * megabyte)}]}`,
  }),
  'two million keys': () => ({
    path: '/v1/completions',
    body: `{${Array.from({ length: 2 * megabyte }, (_, i) => `"k${i}":1,`).join('')}"model":"m","prompt":"Hi"}`,
  }),
  'huge numbers': () => prompted(`[${'9'.repeat(30)}${`,${'9'.repeat(30)}`.repeat(megabyte)}]`),
  'infinite numbers': () => prompted(`[NaN${',NaN'.repeat(megabyte)}]`),
  'a number of ten million digits': () => prompted('9'.repeat(10 * megabyte)),
  'a body of 60 MB that is no JSON': () => ({
    path: '/v1/completions',
    body: `{"model":"m","prompt":"${filled('a', 60 * megabyte)}`,
  }),
  'a body of 60 MB of escapes': () => ({
    path: '/v1/completions',
    body: `{"model":"m","prompt":"${filled('\\n', 60 * megabyte)}"}`,
  }),
  'a body of 60 MB of quotes': () => ({
    path: '/v1/completions',
    body: `{"model":"m","prompt":"${filled('\\"', 60 * megabyte)}"}`,
  }),
  'a body of 60 MB of spaces': () => ({
    path: '/v1/completions',
    body: `{"model":"m","prompt":"Hi"${filled(' ', 60 * megabyte)}}`,
  }),
  'a prompt of 60 MB': () => prompted(`"${filled('a', 60 * megabyte)}"`),
  'a prompt of 30,000 tokens with echo and log probabilities': () =>
    completion({ prompt: numbers(30_000), echo: true, logprobs: 20 }),
  '100 prompts of 30,000 tokens with log probabilities': () =>
    completion({
      prompt: Array.from({ length: 100 }, () => numbers(30_000)),
      ...{ echo: true, prompt_logprobs: 20 },
    }),
  '1,000 choices of a prompt of 30,000 tokens': () =>
    completion({ prompt: numbers(30_000), n: 1_000, temperature: 1 }),
  '16,384 choices of a prompt of 2,000 tokens': () =>
    completion({ prompt: numbers(2_000), n: 16_384, temperature: 1 }),
  '16,384 choices with their prompts': () =>
    completion({ prompt: numbers(2_000), n: 16_384, temperature: 1, echo: true }),
  '1,000 prompts of 1,000 tokens': () =>
    completion({ prompt: Array.from({ length: 1_000 }, () => numbers(1_000)) }),
  '1,000 prompts with 16 choices each': () =>
    completion({ prompt: Array.from({ length: 1_000 }, () => numbers(30)), n: 16, temperature: 1 }),
  '1,000 prompts with a schema of 60,000 values': () =>
    completion({
      prompt: Array.from({ length: 1_000 }, () => 'a'),
      structured_outputs: {
        json: {
          type: 'object',
          properties: Object.fromEntries(names(20_000).map((name) => [name, { type: 'string' }])),
        },
      },
    }),
  '16,000 choices with 1,000 stop tokens': () =>
    completion({ n: 16_000, temperature: 1, stop_token_ids: numbers(1_000) }),
  '1,000 choices with 1,000 stop texts': () =>
    completion({ n: 1_000, temperature: 1, stop: names(1_000), max_tokens: 50 }),
  '50 choices with 20,000 biases': () =>
    completion({
      ...{ n: 50, temperature: 1, max_tokens: 50 },
      logit_bias: Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [i, -100])),
    }),
  'truncation of a prompt of 4 MB': () =>
    completion({ prompt: filled('word and '), truncate_prompt_tokens: 10 }),
  'a text of 4 MB to tokenize': () => prompted(`"${filled('a b')}"`, '/tokenize'),
  'a text of words to tokenize with their texts': () => ({
    path: '/tokenize',
    body: JSON.stringify({ prompt: filled('some words '), return_token_strs: true }),
  }),
  'five million tokens to detokenize': () => ({
    path: '/detokenize',
    body: `{"model":"m","tokens":[1${',1'.repeat(5 * megabyte)}]}`,
  }),
  'five million tokens to detokenize that do not exist': () => ({
    path: '/detokenize',
    body: `{"model":"m","tokens":[4000000000${',4000000000'.repeat(megabyte)}]}`,
  }),
  'a response on a million items': () => ({
    path: '/v1/responses',
    body: `{"model":"m","max_output_tokens":5,"input":[{"role":"user","content":"a"}${',{"role":"user","content":"a"}'.repeat(300_000)}]}`,
  }),
  'a response on 4 MB of text': () => ({
    path: '/v1/responses',
    body: JSON.stringify({ model: 'm', max_output_tokens: 5, input: filled(' ') }),
  }),
  'a message on 300,000 messages': () => ({
    path: '/v1/messages',
    body: `{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"a"}${',{"role":"user","content":"a"}'.repeat(300_000)}]}`,
  }),
  'a message on 4 MB of spaces': () => ({
    path: '/v1/messages',
    body: JSON.stringify({
      ...{ model: 'm', max_tokens: 5, messages: [{ role: 'user', content: filled(' ') }] },
    }),
  }),
  'the count of tokens of 4 MB of newlines': () => ({
    path: '/v1/messages/count_tokens',
    body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: filled('\n') }] }),
  }),
  'a batch of 100,000 conversations': () => ({
    path: '/v1/chat/completions/batch',
    body: `{"model":"m","max_tokens":5,"messages":[[{"role":"user","content":"a"}]${',[{"role":"user","content":"a"}]'.repeat(100_000)}]}`,
  }),
  'tokens to generate from, by the million': () => ({
    path: '/inference/v1/generate',
    body: `{"model":"m","token_ids":[1${',1'.repeat(5 * megabyte)}],"sampling_params":{"max_tokens":5}}`,
  }),
  ...textRequests,
};

function inputs(path: string, fields: Fields): HostileRequest {
  return { path, body: JSON.stringify({ model: 'm', ...fields }) };
}

/** The same for engines that embed or score; each refuses the other's. */
export const hostileInputs: Readonly<Record<string, () => HostileRequest>> = {
  '200 inputs': () => inputs('/v1/embeddings', { input: names(200) }),
  '2,000 inputs': () => inputs('/v1/embeddings', { input: names(2_000) }),
  '2,000 inputs as bytes': () =>
    inputs('/v1/embeddings', {
      input: names(2_000),
      ...{ encoding_format: 'bytes_only', embed_dtype: 'fp8_e4m3' },
    }),
  '200,000 inputs': () => inputs('/v1/embeddings', { input: names(200_000) }),
  'a million inputs of one token': () => ({
    path: '/v1/embeddings',
    body: `{"model":"m","input":[[1]${',[1]'.repeat(100_000)}]}`,
  }),
  'an input of 4 MB of spaces': () => inputs('/v1/embeddings', { input: filled(' ') }),
  '1,000 inputs of 3,000 characters': () =>
    inputs('/v1/embeddings', { input: names(1_000).map((name) => `${name} `.repeat(400)) }),
  '10,000 documents': () => inputs('/rerank', { query: 'q', documents: names(10_000) }),
  '200,000 documents': () => inputs('/rerank', { query: 'q', documents: names(200_000) }),
  '10,000 texts to score': () => inputs('/score', { text_1: 'q', text_2: names(10_000) }),
  'a long query for 1,000 documents': () =>
    inputs('/rerank', { query: 'word '.repeat(2_000), documents: names(1_000) }),
  '10,000 texts to classify': () => inputs('/classify', { input: names(10_000) }),
};
