import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { InputError, seededRandom } from '../../core/base/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import { loadTokenizer } from '../../io/tokenizers/index.ts';
import { createRequestWriter } from './request-body.ts';
import { readTextDataset, sonnetDataset, type TextDatasetOptions } from './text-dataset.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-datasets-'));
after(() => rmSync(directory, { recursive: true }));
let tokenizer: Tokenizer;
before(async () => {
  tokenizer = await loadTokenizer();
});

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
  return path;
}

function read(path: string, options: Partial<TextDatasetOptions> = {}) {
  return readTextDataset({
    ...{ path, count: 2, outputTokens: undefined, api: 'chat', isInOrder: true },
    ...{ tokenizer, random: seededRandom(1), ...options },
  });
}

const long = 'Summarize the main ideas of this long text about routers and caches please.';
const answer = 'The main ideas are routing and caching.';
const tokens = (text: string) => tokenizer.encode(text, { addSpecialTokens: false }).length;

test('ShareGPT is read with from and value, and with role and content', async () => {
  const turns = {
    old: [
      { from: 'human', value: long },
      { from: 'gpt', value: answer },
      { from: 'human', value: 'more' },
    ],
    new: [
      { role: 'user', content: long },
      { role: 'assistant', content: answer },
    ],
    // The task comes before the question, which is the first turn of vLLM.
    system: [
      { from: 'system', value: 'Be brief.' },
      { from: 'human', value: long },
      { from: 'gpt', value: answer },
    ],
  };
  for (const [name, conversations] of Object.entries(turns)) {
    const list = [{ id: 'a', conversations }, { conversations: conversations.slice(0, 1) }];
    const [first, second] = await read(file(`${name}.json`, JSON.stringify(list)));
    assert.equal(first?.text, name === 'system' ? `Be brief.\n\n${long}` : long, name);
    assert.equal(first?.outputTokens, tokens(answer));
    assert.equal(second?.text, first?.text, 'a smaller file is repeated');
  }
});

test('conversations are kept in the limits of vLLM, other texts are not limited', async () => {
  const short = [
    {
      conversations: [
        { value: 'Hi', from: 'human' },
        { value: answer, from: 'gpt' },
      ],
    },
  ];
  await assert.rejects(
    read(file('short.json', JSON.stringify(short))),
    /has no conversation of two turns with 4 to 1024 prompt tokens/,
  );
  const [request] = await read(file('short.jsonl', '{"prompt":"Hi"}'));
  assert.equal(request?.outputTokens, 256);
});

test('prompts of the custom dataset have their own lengths, or those of the flag', async () => {
  const path = file('custom.jsonl', '{"prompt":"One?"}\n\n{"prompt":"Two?","output_tokens":20}\n');
  const lengths = async (outputTokens?: number | 'file') =>
    (await read(path, { outputTokens })).map((request) => request.outputTokens);
  assert.deepEqual(await lengths(), [256, 20]);
  assert.deepEqual(await lengths(7), [7, 7]);
  await assert.rejects(lengths('file'), /neither output_tokens nor an answer/);
  await assert.rejects(
    read(file('bad.jsonl', '{"prompt":"a"}\n{"prompt":"b","output_tokens":"x"}')),
    /bad\.jsonl:2: output_tokens must be a whole number >= 1, not "x"/,
  );
  await assert.rejects(
    read(file('none.jsonl', '{"prompt":"a"}\n{"text":"b"}')),
    /none\.jsonl:2: prompt must be a text, not missing/,
  );
});

test('OpenAI messages are sent as they are, up to the answer, whose length the response gets', async () => {
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'What is a KV cache?' }] },
    { role: 'assistant', content: answer },
  ];
  const path = file('openai.jsonl', JSON.stringify({ messages }));
  const [chat] = await read(path);
  assert.deepEqual(chat?.messages, [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'What is a KV cache?' },
  ]);
  assert.equal(chat?.outputTokens, tokens(answer));
  const bodyFor = async (api: 'chat' | 'messages' | 'completions') => {
    const [request] = await read(path, { api });
    assert.ok(request);
    const writer = createRequestWriter({ api, model: 'm', tokenizer, blockTokens: 16, seed: 0 });
    const timed = { ...request, arrivalSeconds: 0 };
    assert.equal(writer.serverTokens(timed), request.promptTokens);
    return { body: JSON.parse(new TextDecoder().decode(writer.body(timed))), request };
  };
  const { body, request } = await bodyFor('chat');
  assert.deepEqual(body.messages, chat?.messages);
  const rendered = tokenizer.applyChatTemplate(body.messages);
  assert.equal(request.promptTokens, tokens(rendered));
  // Anthropic's API has the system's message outside the list.
  const anthropic = (await bodyFor('messages')).body;
  assert.deepEqual([anthropic.system, anthropic.messages.length], ['Be brief.', 1]);
  // /v1/completions gets the text that the template makes, as from vLLM.
  assert.equal((await bodyFor('completions')).body.prompt, rendered);
  const [plain] = await read(path, { api: 'completions', skipsTemplate: true });
  assert.equal(plain?.text, 'Be brief.\n\nWhat is a KV cache?');
});

test('the other shapes of rows are recognised by their fields', async () => {
  const rows: readonly (readonly [object, string])[] = [
    [{ turns: ['First?', 'Second?'], category: 'math' }, 'First?'],
    [{ instruction: 'Sort.', input: '3 1', output: '1 3' }, 'Sort.\n\n3 1'],
    [{ question: 'Why?', answer: 'So.' }, 'Why?'],
    [{ problem: '1+1', solution: '2' }, '1+1'],
    [{ prompt: [{ role: 'user', content: 'Hi' }] }, 'Hi'],
  ];
  for (const [row, text] of rows) {
    const [request] = await read(file('row.json', JSON.stringify([row])));
    assert.equal(request?.messages?.[0]?.content, text);
  }
  const [math] = await read(file('row.json', JSON.stringify([rows[0]?.[0]])), { category: 'math' });
  assert.ok(math);
  await assert.rejects(
    read(join(directory, 'row.json'), { category: 'law' }),
    /no row of the category law/,
  );
  const [csv] = await read(file('rows.csv', 'question,answer\n"Why, so?",Because.\n'));
  assert.equal(csv?.messages?.[0]?.content, 'Why, so?');
});

test('a file in the order of its rows, once, drawn by a seed, or gzipped', async () => {
  const rows = Array.from({ length: 20 }, (_, i) => JSON.stringify({ prompt: `${i}` })).join('\n');
  const path = file('twenty.jsonl.gz', gzipSync(rows));
  const texts = async (options: Partial<TextDatasetOptions>) =>
    (await read(path, options)).map(({ messages }) => messages?.[0]?.content);
  assert.deepEqual(await texts({ count: 3 }), ['0', '1', '2']);
  assert.equal((await texts({ count: 30, isOnce: true })).length, 20);
  const drawn = (seed: number) =>
    texts({ isInOrder: false, count: 20, random: seededRandom(seed) });
  assert.deepEqual(await drawn(1), await drawn(1));
  assert.notDeepEqual(await drawn(1), await drawn(2));
});

test('a folder is read by its files; one of Parquet says how to convert them', async () => {
  file('hub/README.md', '# A dataset');
  file('hub/dataset_infos.json', '{}');
  file('hub/data/test-0.jsonl', '{"prompt":"test"}');
  file('hub/data/train-0.jsonl', '{"prompt":"train"}');
  const folder = join(directory, 'hub');
  const first = async (split?: string) =>
    (await read(folder, { part: { split } }))[0]?.messages?.[0]?.content;
  assert.deepEqual(
    [await first(), await first('train'), await first('none')],
    ['test', 'train', 'test'],
  );
  file('parquet/data/train-00000-of-00001.parquet', 'PAR1');
  await assert.rejects(
    read(join(directory, 'parquet')),
    (error: unknown) =>
      error instanceof InputError &&
      /only parquet files \(data\/train-00000-of-00001\.parquet\).*read_parquet\('.*train-00000-of-00001\.parquet'\)/.test(
        error.message,
      ),
  );
  await assert.rejects(
    read(join(directory, 'parquet/data/train-00000-of-00001.parquet')),
    /is a Parquet file, which is not read: convert it/,
  );
  mkdirSync(join(directory, 'nothing'));
  await assert.rejects(read(join(directory, 'nothing')), /has no dataset: .*it is empty/);
  await assert.rejects(read('org/name-that-is-no-folder'), /hf download --repo-type dataset org/);
});

test('what is no dataset of texts is refused with its fields', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [
      '{"timestamp":0,"input_length":5,"output_length":2,"hash_ids":[1]}',
      /:1: no dataset of texts: found a trace.*--dataset-name trace/,
    ],
    ['{"conversation_hash":"a","conversation":[]}', /WildChat\); expected ShareGPT/],
    ['[1]', /\[0\]: a row must be a JSON object, not 1/],
    ['{"conversations":[5]}', /:1: conversations\[0\] must be an object, not 5/],
    [
      '{"messages":[{"speaker":"a"}]}',
      /messages\[0\] has the fields speaker; expected from and value, or role and content/,
    ],
    ['{"messages":[{"role":"assistant","content":"a"}]}', /has only an answer/],
    ['{"prompt":"a"}\n{', /:2: not JSON/],
    ['', /is empty/],
  ];
  for (const [content, message] of cases) {
    await assert.rejects(
      read(file('wrong.jsonl', content)),
      (error: unknown) => error instanceof InputError && message.test(error.message),
      content,
    );
  }
});

test('prompts of sonnet share their first lines and are no longer than asked for', () => {
  const lines = Array.from(
    { length: 60 },
    (_, i) => `FROM fairest creatures we desire increase ${i},\n`,
  );
  const requests = sonnetDataset(
    lines,
    { inputTokens: 400, outputTokens: 50, prefixTokens: 100 },
    { count: 3, api: 'chat', tokenizer, random: seededRandom(1) },
  );
  const texts = requests.map(({ messages }) => messages?.[0]?.content ?? '');
  for (const [index, { promptTokens, outputTokens }] of requests.entries()) {
    assert.ok(promptTokens <= 400 && promptTokens > 330, `${promptTokens}`);
    assert.equal(outputTokens, 50);
    assert.ok(
      texts[index]?.startsWith(
        `Pick as many lines as you can from these poem lines:\n${lines[0]}${lines[1]}`,
      ),
    );
  }
  assert.equal(new Set(texts).size, 3);
});
