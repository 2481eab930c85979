import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PeerHealth } from './peer-health.ts';

test('a server is gone after two checks without a reply, until it replies', async () => {
  const silent = new Set<string>();
  let changes = 0;
  const health = new PeerHealth(
    async (name) => {
      if (silent.has(name)) throw new Error('no reply');
    },
    () => changes++,
  );
  const goneAfterCheck = async () => {
    await health.check(['a', 'b']);
    return ['a', 'b'].filter((name) => health.isGone(name));
  };
  assert.deepEqual(await goneAfterCheck(), []);
  silent.add('a');
  assert.deepEqual(await goneAfterCheck(), []);
  assert.deepEqual(await goneAfterCheck(), ['a']);
  assert.deepEqual(await goneAfterCheck(), ['a']);
  silent.delete('a');
  assert.deepEqual(await goneAfterCheck(), []);
  assert.equal(changes, 2);
});

test('a server that is no longer a member is forgotten, and one that is slow is asked once', async () => {
  let asked = 0;
  const health = new PeerHealth(
    async (name) => {
      asked++;
      if (name === 'slow') await new Promise(() => {});
      throw new Error('no reply');
    },
    () => {},
  );
  void health.check(['slow']);
  void health.check(['slow']);
  assert.equal(asked, 1);
  await health.check(['a']);
  await health.check(['a']);
  assert.ok(health.isGone('a'));
  await health.check([]);
  assert.ok(!health.isGone('a'));
});
