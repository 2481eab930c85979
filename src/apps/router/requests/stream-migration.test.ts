// Which streams can move, and what becomes of them in the metrics.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunk } from '../../../../test/support/scripted-engine.ts';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import { StreamMemory, UsualEvents } from '../../../core/migration/index.ts';
import { Headers, type ResponseHead } from '../../../io/http/index.ts';
import { RouterMetrics } from '../metrics/router-metrics.ts';
import { type MigrationPlan, migrationPlan, StreamMigration } from './stream-migration.ts';

function begin({ isOn = true } = {}) {
  const registry = new MetricsRegistry();
  const metrics = new RouterMetrics(registry, 60);
  const context = {
    isOn,
    memory: new StreamMemory(),
    usual: new UsualEvents(),
    counter: metrics.migrations,
  };
  const planOf = (...parts: Tail) => migrationPlan(context, ...parts);
  /** Series of the migrations, as "outcome reason count". */
  const counted = () =>
    [...registry.render().matchAll(/migrations_total\{outcome="(.*)",reason="(.*)"\} (\d+)/g)]
      .map(([, outcome, reason, count]) => `${outcome} ${reason} ${count}`)
      .filter((line) => !line.endsWith(' 0'));
  const migration = (plan: MigrationPlan) => new StreamMigration(context, plan);
  return { planOf, counted, migration, memory: context.memory };
}

type Tail = Parameters<typeof migrationPlan> extends [unknown, ...infer Rest] ? Rest : never;

const asksForNoIds = { returnsTokenIds: undefined };
const megabyte = 1024 * 1024;

test('a stream can move if its route, its client and the length of its body allow it', () => {
  const { planOf } = begin();
  assert.deepEqual(planOf('chat', asksForNoIds, megabyte), { kind: 'chat', hidesIds: true });
  const asksForIds = { returnsTokenIds: true };
  assert.deepEqual(planOf('completion', asksForIds, 1), { kind: 'completion', hidesIds: false });
  assert.equal(planOf(undefined, asksForNoIds, 1), 'route');
  assert.equal(planOf('chat', { returnsTokenIds: false }, 1), 'ids');
  assert.equal(planOf('chat', asksForNoIds, megabyte + 1), 'large');
  assert.equal(begin({ isOn: false }).planOf('chat', asksForNoIds, 1), 'off');
});

test('the engine is asked for token ids unless the client has asked', () => {
  const { migration } = begin();
  const body = Buffer.from('{"model":"m","stream":true}');
  const { start, rest } = migration({ kind: 'chat', hidesIds: true }).body(body, true);
  assert.equal(JSON.parse(start + rest).return_token_ids, true);
  const same = { start: '', rest: body };
  assert.deepEqual(
    migration({ kind: 'chat', hidesIds: true }).body(body, false),
    same,
    'an engine other than vLLM',
  );
  assert.deepEqual(migration({ kind: 'chat', hidesIds: false }).body(body, true), same);
  assert.deepEqual(migration('route').body(body, true), same);
});

function headOf(parts: Partial<ResponseHead>, contentType?: string): ResponseHead {
  const headers = new Headers();
  if (contentType !== undefined) {
    headers.names.push('content-type');
    headers.values.push(contentType);
  }
  return {
    ...{ status: 200, reason: 'OK', framing: 'chunked', contentLength: -1, headers },
    ...{ keepAlive: true, headBytes: 0 },
    ...parts,
  };
}

test('a response is followed if it is a stream of events in chunks, to a client of HTTP/1.1', () => {
  const { migration } = begin();
  const isFollowed = (head: ResponseHead, minorVersion = 1) => {
    const one = migration({ kind: 'chat', hidesIds: true });
    assert.ok(one.isFollowed);
    one.begin(head, minorVersion);
    return one.isFollowed;
  };
  const events = 'text/event-stream; charset=utf-8';
  assert.equal(isFollowed(headOf({}, events)), true);
  assert.equal(isFollowed(headOf({}, 'application/json')), false);
  assert.equal(isFollowed(headOf({})), false);
  assert.equal(isFollowed(headOf({ status: 400 }, events)), false);
  assert.equal(isFollowed(headOf({ framing: 'until-close' }, events)), false);
  assert.equal(isFollowed(headOf({}, events), 0), false);
});

test('what is kept of a stream counts as memory until the stream is closed', () => {
  const { migration, memory } = begin();
  const stream = migration({ kind: 'chat', hidesIds: true });
  stream.begin(headOf({}, 'text/event-stream'), 1);
  const event = (fields: object) => chunk(`data: ${JSON.stringify(fields)}\n\n`);
  const choice = { index: 0, finish_reason: null, logprobs: null };
  const shared = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm' };
  const events =
    event({
      ...shared,
      choices: [{ ...choice, delta: { role: 'assistant', content: '' } }],
      prompt_token_ids: Array.from({ length: 50 }, (_, i) => i),
    }) + event({ ...shared, choices: [{ ...choice, delta: { content: 'a' }, token_ids: [7] }] });
  stream.take(Buffer.from(events), true, false);
  assert.ok(memory.bytes >= 51, `${memory.bytes}`);
  stream.close();
  assert.equal(memory.bytes, 0);
});

test('a stream that cannot move is declined with its first reason', () => {
  const { migration, counted } = begin();
  const body = Buffer.from('{}');
  assert.equal(migration('ids').leave(body, 'reset'), 'impossible');
  const plain = migration({ kind: 'chat', hidesIds: true });
  plain.begin(headOf({}, 'application/json'), 1);
  assert.equal(plain.leave(body, 'reset'), 'impossible');
  assert.equal(plain.leave(body, 'reset'), 'impossible');
  assert.deepEqual(counted(), ['declined ids 1', 'declined response 1']);
  assert.deepEqual([plain.sentTokens, plain.tokens, plain.closing], [0, undefined, undefined]);
});
