// The table of engines by itself: lists that stay the same, and when models lost their engines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointRecord } from './endpoint-record.ts';
import { EndpointTable } from './endpoint-table.ts';

function tableOf(...urls: string[]) {
  const table = new EndpointTable();
  for (const url of urls) table.add({ url, models: ['m'] });
  const record = (url: string) => table.get(url) as EndpointRecord;
  return { table, record };
}

test('the list of live engines is the same object until an engine changes', () => {
  const { table, record } = tableOf('a');
  for (const model of ['m', undefined]) assert.equal(table.live(model), table.live(model));
  const changes: (() => void)[] = [
    () => table.add({ url: 'b', models: ['m'] }),
    () => table.setState(record('b'), 'dead', 'test', 1),
    () => table.setState(record('b'), 'live', 'test', 2),
    () => table.remove('b', 3),
  ];
  for (const change of changes) {
    const before = table.live('m');
    change();
    assert.notEqual(table.live('m'), before);
  }
  assert.deepEqual(table.live('m'), [record('a')]);
  const same = table.live('m');
  assert.equal(table.setState(record('a'), 'live', 'checked again', 4), false);
  assert.equal(table.live('m'), same);
  assert.equal(record('a').reason, 'checked again');
});

test('nothing is kept for a model that no engine serves: clients make up names', () => {
  const { table } = tableOf('a');
  assert.deepEqual(table.live('invented'), []);
  assert.notEqual(table.live('invented'), table.live('invented'));
});

test('a model lost its last engines when one of them was removed or stopped being live', () => {
  const { table, record } = tableOf('a', 'b');
  const left = () => [table.leftSeconds('m'), table.leftSeconds(undefined)];
  const never = Number.NEGATIVE_INFINITY;
  assert.deepEqual(left(), [never, never]);
  table.setState(record('a'), 'dead', 'test', 5);
  assert.deepEqual(left(), [5, 5]);
  table.setState(record('a'), 'asleep', 'test', 6);
  table.remove('a', 7);
  assert.deepEqual(left(), [5, 5], 'it was not live any more');
  table.remove('b', 8);
  assert.deepEqual(left(), [8, 8]);
  assert.equal(table.leftSeconds('other'), never);
  assert.equal(table.remove('b', 9), undefined);
});

test('a model may return if an engine has served it, or if there has been no engine at all', () => {
  const { table, record } = tableOf();
  const mayReturn = () => ['m', 'other', undefined].map((model) => table.mayReturn(model));
  assert.deepEqual(mayReturn(), [true, true, true]);
  table.add({ url: 'a', models: ['m'] });
  assert.deepEqual(mayReturn(), [false, false, false]);
  table.setState(record('a'), 'dead', 'test', 1);
  assert.deepEqual(mayReturn(), [true, false, true]);
});

test('an engine that is added again is no new one, and keeps what is not said anew', () => {
  const { table, record } = tableOf('a');
  const known = record('a');
  known.silence = 'timed out';
  assert.equal(table.add({ url: 'a', models: [] }), undefined);
  assert.deepEqual([known.models, known.silence], [[], 'timed out']);
  table.add({ url: 'a', models: ['n'], state: 'draining', reason: 'SIGTERM' });
  assert.equal(record('a'), known);
  assert.deepEqual([known.state, known.reason, known.silence], ['draining', 'SIGTERM', undefined]);
  assert.deepEqual([...table.all], [known]);
  const added = table.add({ url: 'b', models: [] });
  assert.deepEqual([added?.state, added?.reason], ['live', 'added']);
});

test('a request for one engine is refused for the reasons of that engine only', () => {
  const { table, record } = tableOf('a', 'b');
  table.add({ url: 'c', models: ['n'] });
  table.setState(record('b'), 'dead', 'reset', 0);
  const why = (pinnedUrl: string | undefined, exclude: string[] = []) =>
    table.refusal({
      ...{ model: 'm', exclude: new Set(exclude), pinnedUrl, leg: undefined, aliases: new Map() },
    }).message;
  const refused = 'No engine can serve model "m" now: ';
  assert.equal(why('c'), `${refused}c does not serve it. Retry later.`);
  assert.equal(why('b', ['b']), `${refused}b is dead (reset). Retry later.`);
  assert.equal(why('a', ['a']), `${refused}a was already tried. Retry later.`);
  assert.equal(
    why(undefined, ['a']),
    `${refused}a was already tried; b is dead (reset). Retry later.`,
  );
});
