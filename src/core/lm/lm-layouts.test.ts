import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lmLayouts } from './lm-layouts.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const bytes = (text: string, key = '') =>
  new Uint8Array(Buffer.concat([Buffer.from(text, 'hex'), Buffer.from(key.padEnd(150))]));
const key = 'vllm@m@1@0@abc';

// Written by the classes ClientMetaMessage and ServerMetaMessage of the package lmcache 0.3.2.
const shape = '02000000200000000001000000040000';

test('182 and 32 bytes: the layout of LMCache 0.3.0 to 0.3.2 has no location', () => {
  const { requestBytes, readRequest, reply } = lmLayouts['182'];
  const put = bytes(`01000000000000020100000003000000${shape}`, key);
  assert.equal(put.length, requestBytes);
  const read = readRequest(put);
  assert.deepEqual([read.command, read.length, read.key], ['put', 32 << 20, key]);
  assert.equal(hex(read.label), `010000000300000000000000${shape}`);
  assert.equal(hex(reply(200, 32 << 20, read.label)), `c8000000000000020100000003000000${shape}`);
  assert.equal(hex(reply(400)), '9001000000000000010000000200000000000000000000000000000000000000');
});

test('158 and 8 bytes: the layout of LMCache’s first engine has command, length and key', () => {
  const { requestBytes, readRequest, reply } = lmLayouts['158'];
  const put = bytes('0100000007000000', key);
  assert.equal(put.length, requestBytes);
  const read = readRequest(put);
  assert.deepEqual([read.command, read.length, read.key], ['put', 7, key]);
  assert.equal(hex(read.label), '00'.repeat(28));
  assert.equal(hex(reply(200, 7, read.label)), 'c800000007000000');
  assert.equal(hex(reply(400)), '9001000000000000');
});
