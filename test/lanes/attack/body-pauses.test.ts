// The longest pause over a corpus of bodies up to the limit: none may keep the router from its other clients for 50 ms.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { defaultTokenizerName } from '../../../src/io/tokenizers/index.ts';
import { publishingEngine } from '../../support/publishing-engine.ts';
import { startTarget, type Target, until } from './target.ts';

/** Time on the processor without a turn of the event loop. */
const pauseMsMax = 50;
/** A body is sent again if it has caused a longer pause: a collection of garbage must not fail it. */
const attemptsMax = 5;

const megabyte = 1_000_000;
/** Router's own limit of a body that is read on the event loop. */
const sharedBytes = 1 << 20;
/** Longest prompt that is tokenized on the event loop. */
const promptBytes = 10 << 10;

/** Longest body of which the router computes the tokens. */
const tokenizedBytesMax = 8 << 20;

/** Bodies that fill as many bytes. */
const shapes: Readonly<Record<string, (bytes: number) => string>> = {
  'a long model name': (bytes) => `{"model":"${'m'.repeat(bytes - 12)}"}`,
  'escapes in a model name': (bytes) => `{"model":"${'\\u006d'.repeat((bytes - 12) / 6)}"}`,
  'repeated keys': (bytes) => `{${'"a":1,'.repeat((bytes - 13) / 6)}"model":"m"}`,
  'repeated prompts': (bytes) => `{${'"prompt":"",'.repeat((bytes - 13) / 12)}"model":"m"}`,
  'different keys': (bytes) =>
    `{${Array.from({ length: (bytes - 13) / 12 }, (_, i) => `"${1_000_000 + i}":1,`).join('')}"model":"m"}`,
  brackets: (bytes) => `{"model":"m","prompt":${'['.repeat(bytes - 22)}`,
  spaces: (bytes) => `{"model":"m","prompt":"Hi"${' '.repeat(bytes - 27)}}`,
  'one long prompt': (bytes) => `{"model":"m","prompt":"${'word '.repeat((bytes - 25) / 5)}"}`,
  'a prompt without spaces': (bytes) => `{"model":"m","prompt":"${'x'.repeat(bytes - 25)}"}`,
  'a prompt of escapes': (bytes) => `{"model":"m","prompt":"${'\\n\\"'.repeat((bytes - 25) / 4)}"}`,
  'a prompt of emoji': (bytes) => `{"model":"m","prompt":"${'🧑‍🚀'.repeat((bytes - 25) / 11)}"}`,
  'a prompt of token ids': (bytes) => `{"model":"m","prompt":[1${',1'.repeat((bytes - 25) / 2)}]}`,
  'many short messages': (bytes) =>
    `{"model":"m","messages":[{"role":"user","content":"a"}${',{"role":"user","content":"a"}'.repeat((bytes - 60) / 30)}]}`,
  'one long message': (bytes) =>
    `{"model":"m","messages":[{"role":"user","content":"${'text and more '.repeat((bytes - 60) / 14)}"}]}`,
  'many tools': (bytes) =>
    `{"model":"m","messages":[],"tools":[{}${',{"type":"function","function":{"name":"f","parameters":{}}}'.repeat((bytes - 60) / 61)}]}`,
  'bytes that are no JSON': (bytes) => '\u0000'.repeat(bytes),
};

const paths = ['/v1/completions', '/v1/chat/completions', '/v1/responses'];

const sizes: Readonly<Record<string, number>> = {
  'as long as a prompt that is tokenized at once': promptBytes,
  'as long as a body that is read at once': sharedBytes,
  'of 60 MB': 60 * megabyte,
};

for (const [size, bytes] of Object.entries(sizes)) {
  test(`no body ${size} makes a pause of ${pauseMsMax} ms`, async (t) => {
    const isLong = bytes > tokenizedBytesMax;
    const target = isLong ? await startTarget(t) : await startTokenizingTarget(t);
    // A long body is read in the same way on every path.
    for (const path of isLong ? ['/v1/chat/completions'] : paths) {
      for (const [shape, bodyOf] of Object.entries(shapes)) {
        const body = bodyOf(bytes);
        let least = Number.POSITIVE_INFINITY;
        for (let i = 0; i < attemptsMax && least >= pauseMsMax; i++) {
          await target.measure();
          const headers = { 'content-type': 'application/json' };
          const answer = await fetch(target.url + path, { method: 'POST', headers, body });
          await answer.arrayBuffer();
          least = Math.min(least, (await target.measure()).longestPauseMs);
        }
        t.diagnostic(`${least.toFixed(1)} ms: ${shape} to ${path}`);
        assert.ok(least < pauseMsMax, `${least.toFixed(0)} ms: ${shape} to ${path}`);
      }
    }
  });
}

/** A router with two engines that publish KV events: with one, or without events, no prompt is tokenized. */
async function startTokenizingTarget(t: TestContext): Promise<Target> {
  const engines = await Promise.all([0, 1].map(() => publishingEngine(t, { model: 'm' })));
  const urls = engines.map(({ url }) => url);
  const target = await startTarget(t, ['--tokenizer', defaultTokenizerName], urls);
  await until(() => isTokenizing(target));
  return target;
}

/** Sends a prompt. @returns Whether the router has its tokenizer, and has computed the tokens of a prompt. */
async function isTokenizing({ url, adminUrl }: Target): Promise<boolean> {
  const body = '{"model":"m","prompt":"Hi"}';
  const headers = { 'content-type': 'application/json' };
  await (await fetch(`${url}/v1/completions`, { method: 'POST', headers, body })).arrayBuffer();
  const page = await (await fetch(`${adminUrl}/metrics`)).text();
  return /^spillway_router_tokenized_prompts_total\S* [1-9]/m.test(page);
}
