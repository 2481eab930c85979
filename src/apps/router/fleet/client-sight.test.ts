// What a client is told of engines, with and without URLs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shownEngine, shownFailure, shownReason } from './client-sight.ts';

const [open, closed] = [{ isOpen: true }, { isOpen: false }];
const url = 'http://10.0.0.1:8000';

test('an engine has its URL, or its name, or a number', () => {
  const engine = { url, ownName: 'qwen-1', number: 3 };
  const label = `qwen-1 (${url})`;
  assert.deepEqual(shownEngine(open, engine, label), { name: url, label });
  assert.deepEqual(shownEngine(closed, engine, label), { name: 'qwen-1', label: 'qwen-1' });
  const unnamed = { ...engine, ownName: undefined };
  assert.deepEqual(shownEngine(closed, unnamed, url), { name: 'engine-3', label: 'engine-3' });
});

test('an error of the operating system keeps its code alone; the router’s own words stay', () => {
  const refused = { message: 'connect ECONNREFUSED 10.0.0.1:8000', code: 'ECONNREFUSED' };
  assert.equal(shownFailure(open, refused), refused.message);
  assert.equal(shownFailure(closed, refused), 'the connection failed (ECONNREFUSED)');
  assert.equal(shownFailure(closed, { message: 'no data for 5 s' }), 'no data for 5 s');
});

test('of the reason for a state, a client learns what is not in parentheses', () => {
  const reason = 'is dead (/health: connect ECONNREFUSED 10.0.0.1:8000)';
  assert.deepEqual([shownReason(open, reason), shownReason(closed, reason)], [reason, 'is dead']);
});
