import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Tokenizer } from '../tokenizer/index.ts';
import { type PromptKind, PromptTokenizer } from './index.ts';

/** Every byte is a token, with its value as its id. */
function byteTokenizer(chatTemplate: string): Tokenizer {
  let next = 0x100;
  const entries = Array.from({ length: 256 }, (_, byte) => {
    const isPrintable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return [String.fromCharCode(isPrintable ? byte : next++), byte] as const;
  });
  return new Tokenizer({
    tokenizer: {
      pre_tokenizer: { type: 'ByteLevel', use_regex: true },
      model: { vocab: Object.fromEntries(entries), merges: [] },
    },
    chatTemplate,
  });
}

const template =
  '{% for t in tools or [] %}T:{{ t.function.name }}\n{% endfor %}' +
  '{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}' +
  '{% if add_generation_prompt %}assistant:{% endif %}';
const prompts = new PromptTokenizer(byteTokenizer(template));

/** The text of the tokens, or why there are none. */
function textOf(kind: PromptKind, body: unknown, from = prompts): string {
  const result = from.tokenize(kind, body);
  return typeof result === 'string' ? `(${result})` : Buffer.from(result.tokens).toString();
}

const user = (content: unknown) => ({ role: 'user', content });

test('each API gives the text that the model sees', () => {
  const cases: readonly (readonly [PromptKind, unknown, string])[] = [
    ['chat', { messages: [user('a')] }, 'user:a\nassistant:'],
    ['chat', { messages: [user('a')], add_generation_prompt: false }, 'user:a\n'],
    [
      'chat',
      { messages: [user('a')], tools: [{ type: 'function', function: { name: 'f' } }] },
      'T:f\nuser:a\nassistant:',
    ],
    [
      'chat',
      {
        messages: [
          user([
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ]),
        ],
      },
      'user:a\nb\nassistant:',
    ],
    [
      'chat',
      {
        messages: [user('a'), { role: 'assistant', content: 'b' }],
        add_generation_prompt: false,
        continue_final_message: true,
      },
      'user:a\nassistant:b',
    ],
    ['completions', { prompt: 'a' }, 'a'],
    ['completions', { prompt: ['a'] }, 'a'],
    ['completions', { prompt: [97, 98] }, 'ab'],
    ['completions', { prompt: [[97, 98]] }, 'ab'],
    ['messages', { system: 's', messages: [user('a')] }, 'system:s\nuser:a\nassistant:'],
    ['responses', { instructions: 's', input: 'a' }, 'system:s\nuser:a\nassistant:'],
    ['generate', { token_ids: [97, 98] }, 'ab'],
    ['chat', { messages: [user('a')], kv_transfer_params: { prompt_token_ids: [97, 98] } }, 'ab'],
  ];
  for (const [kind, body, expected] of cases) assert.equal(textOf(kind, body), expected);
});

test('says why a prompt has no tokens', () => {
  const image = { type: 'image_url', image_url: { url: 'http://x/y.png' } };
  const cases: readonly (readonly [PromptKind, unknown, string])[] = [
    ['chat', { messages: [user([{ type: 'text', text: 'a' }, image])] }, '(multimodal)'],
    ['completions', { prompt: ['a', 'b'] }, '(several)'],
    ['completions', { prompt: [[1], [2]] }, '(several)'],
    ['completions', { prompt: 'a', truncate_prompt_tokens: 3 }, '(unsupported)'],
    ['responses', { input: 'a', previous_response_id: 'resp_1' }, '(unsupported)'],
    ['chat', { messages: [] }, '(refused)'],
    ['chat', { messages: [user('a')], chat_template: 'x' }, '(refused)'],
    ['chat', {}, '(refused)'],
    ['completions', {}, '(refused)'],
    ['completions', { prompt: [-1] }, '(refused)'],
    ['chat', [], '(refused)'],
    ['chat', null, '(refused)'],
  ];
  for (const [kind, body, expected] of cases) assert.equal(textOf(kind, body), expected);
});

test('a template that reads content parts, or does not compile, gives no tokens of lists', () => {
  const parts = byteTokenizer(
    '{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}' +
      '{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}{% endfor %}',
  );
  assert.equal(textOf('chat', { messages: [user('a')] }, new PromptTokenizer(parts)), 'a');
  const listed = { messages: [user([{ type: 'text', text: 'a' }])] };
  assert.equal(textOf('chat', listed, new PromptTokenizer(parts)), '(unsupported)');
  const broken = new PromptTokenizer(byteTokenizer('{% nonsense'));
  assert.equal(textOf('chat', { messages: [user('a')] }, broken), '(template)');
  assert.match(broken.templateFault ?? '', /./);
  assert.equal(prompts.templateFault, undefined);
  assert.equal(textOf('completions', { prompt: 'a' }, broken), 'a');
});

test('the salt of the cache is returned with the tokens', () => {
  const salted = prompts.tokenize('completions', { prompt: 'a', cache_salt: 'tenant' });
  assert.deepEqual(salted, { tokens: Uint32Array.of(97), cacheSalt: 'tenant' });
});

test('returns for any JSON, without throwing', () => {
  const kinds = fc.constantFrom<PromptKind>(
    ...(['chat', 'completions', 'messages', 'responses', 'generate'] as const),
  );
  const field = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constant([user('a')]));
  const body = fc.dictionary(
    fc.constantFrom('messages', 'prompt', 'tools', 'input', 'token_ids', 'documents', 'system'),
    field,
  );
  fc.assert(
    fc.property(kinds, body, (kind, given) => {
      assert.ok(textOf(kind, given) !== undefined);
    }),
  );
});
