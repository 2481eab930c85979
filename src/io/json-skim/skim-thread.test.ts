import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonSyntaxError, skimJsonObject } from '../../core/protocol/index.ts';
import { SkimThread } from './index.ts';

function bodyOf(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  const copy = Buffer.alloc(bytes.length);
  bytes.copy(copy);
  return copy;
}

test('the thread returns the result of a synchronous skim, whatever the order of bodies', async (context) => {
  const thread = new SkimThread();
  context.after(() => thread.close());
  const keys = ['model', 'prompt'];
  const bodies = [1, 500_000, 10].map((length) =>
    bodyOf(`{"prompt":"${'x'.repeat(length)}","model":"m${length}"}`),
  );
  const copies = bodies.map((body) => Buffer.from(body));
  const found = await Promise.all(bodies.map((body) => thread.skim(body, keys)));
  assert.deepEqual(
    found,
    copies.map((bytes) => ({ spans: skimJsonObject(bytes, keys), bytes })),
  );
});

test('refuses a body that is not JSON with the same message, and serves the next one', async (context) => {
  const thread = new SkimThread();
  context.after(() => thread.close());
  await assert.rejects(thread.skim(bodyOf('{"a":1,}'), ['a']), (error) => {
    assert.ok(error instanceof JsonSyntaxError);
    assert.match(error.message, /unexpected byte at position 7/);
    return true;
  });
  assert.deepEqual([...(await thread.skim(bodyOf('{"a":1}'), ['a'])).spans], [5, 6]);
});

test('rejects bodies that wait when the thread is closed', async () => {
  const thread = new SkimThread();
  const skimmed = thread.skim(bodyOf(`{"a":"${'x'.repeat(1_000_000)}"}`), ['a']);
  thread.close();
  await assert.rejects(skimmed, /ended/);
});

test('a body that is no longer wanted never moves to the thread', async (context) => {
  const thread = new SkimThread();
  context.after(() => thread.close());
  let isWanted = true;
  const first = thread.skim(bodyOf(`{"a":"${'x'.repeat(1_000_000)}"}`), ['a']);
  const left = bodyOf('{"a":1}');
  const gone = thread.skim(left, ['a'], () => isWanted);
  isWanted = false;
  await first;
  await assert.rejects(gone, /has gone/);
  assert.equal(left.length, 7);
});
