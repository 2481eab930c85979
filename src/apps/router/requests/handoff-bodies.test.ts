import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSplittable, withHandoff, withoutOutput } from './handoff-bodies.ts';

const chat = (more: string) =>
  Buffer.from(`{"model":"m","messages":[{"role":"user","content":"\\"n\\":2"}]${more}}`);
/** The members in order, so that one that occurs twice shows. */
const namesOf = (text: string) => Array.from(text.matchAll(/"(\w+)":/g), ([, name]) => name);

test('a request for several responses, or whose KV comes from elsewhere, is not split', () => {
  const whole = ['"n":2', '"n" : 10', '"best_of":3', '"use_beam_search":true', '"\\u006e":4'];
  for (const more of [...whole, '"kv_transfer_params":{"do_remote_prefill":true}', '"n":1e1']) {
    assert.equal(isSplittable(chat(`,${more}`)), false, more);
  }
});

test('nulls, single responses and members of tool schemas do not keep a request from being split', () => {
  const split = ['"n":1', '"n":null', '"kv_transfer_params":null', '"use_beam_search":false'];
  const tool =
    '"tools":[{"type":"function","function":{"name":"f","parameters":{"n":10,"best_of":2}}}]';
  for (const more of [...split, tool, '"metadata":{"kv_transfer_params":{}}']) {
    assert.equal(isSplittable(chat(`,${more}`)), true, more);
  }
  assert.equal(isSplittable(Buffer.alloc(2 << 20, 0x20)), false, 'too large');
});

test('the body of a prefill asks for one token, has no member twice, and keeps the others', () => {
  const client =
    ',"stream":true,"stream_options":{"include_usage":true},"max_tokens":500,"seed":12345678901234567890';
  const text = withoutOutput(chat(client), 'chat', true).toString();
  const body = JSON.parse(text);
  assert.equal(
    new Set(namesOf(text.slice(text.indexOf(']')))).size,
    namesOf(text.slice(text.indexOf(']'))).length,
  );
  assert.deepEqual([body.stream, body.max_tokens], [false, 1]);
  assert.equal('stream_options' in body || 'n' in body, false);
  assert.equal(body.kv_transfer_params.do_remote_decode, true);
  assert.match(text, /"seed":12345678901234567890[,}]/);
});

test('a prefill without transfer has only members that its client sent, or that bound the response', () => {
  const body = JSON.parse(withoutOutput(chat(''), 'completions', false).toString());
  assert.deepEqual(Object.keys(body), ['model', 'messages', 'stream', 'max_tokens']);
  const limits = ',"min_tokens":5,"n":1,"max_completion_tokens":9';
  const asked = JSON.parse(withoutOutput(chat(limits), 'chat', false).toString());
  assert.deepEqual(
    [asked.min_tokens, asked.n, asked.max_completion_tokens],
    [undefined, undefined, 1],
  );
});

test('the engine that decodes gets the params of the prefill in place of the client’s null', () => {
  const params = '{"remote_host":"10.0.0.1"}';
  const whole = withHandoff({ start: '', rest: chat(',"kv_transfer_params":null') }, params);
  const asking = withHandoff(
    { start: '{"return_token_ids":true,', rest: chat(',"kv_transfer_params":null').subarray(1) },
    params,
  );
  for (const { start, rest } of [whole, asking]) {
    const text = start + rest.toString();
    assert.equal(text.split('kv_transfer_params').length, 2, text);
    assert.deepEqual(JSON.parse(text).kv_transfer_params, { remote_host: '10.0.0.1' });
    assert.equal(JSON.parse(text).model, 'm');
  }
  assert.match(asking.start + asking.rest.toString(), /"return_token_ids":true/);
});
