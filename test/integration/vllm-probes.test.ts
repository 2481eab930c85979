// The embedded engine against 2,350 odd requests that a real vLLM 0.32.0 was sent: wrong methods, HTTP
// edges, broken bodies, every field of the routes. What differs is listed, each with its reason.
import assert from 'node:assert/strict';
import test from 'node:test';
import { runWireCases } from '../support/wire-run.ts';

const files = { cases: 'probes', recording: 'probes-0.32.0' };

/** What is known to differ, by the id of the request. */
const known: readonly (readonly [ids: RegExp, reason: string])[] = [
  [
    /^chat\/tools-.*-s$|^responses\/tools-(named|req)-stream$/,
    'pieces of what random weights wrote',
  ],
  [
    /^anthropic\/tool-(named|any)|^auth\/json-obj-nothink$/,
    'random weights fill the limit with white space',
  ],
  [
    /^responses\/raw|^auth\/resp-raw$|^chat\/bytes-s$|^auth\/choice-stream$/,
    'the tokens that random weights chose',
  ],
  [/^auth\/(allowed|bias)-think/, 'a second end of reasoning is shown'],
  [
    /^http\/expect-100$/,
    'the answer begins with 100 Continue, as the real one does; it is not recorded',
  ],
  [/^auth\/hdr-3$|^http\/ct-.*-11$/, 'Node cuts white space at the end of a header'],
  [
    /^(tokens\/(tools-bad|content-null|no-role)|generate\/features|render\/rr-toolnamed)$/,
    'not checked, or in other words',
  ],
  [/^responses\/tools-code$/, 'fields of a hosted tool within a field'],
  [/^batch\/stream$/, 'a streamed batch counts each last token alone'],
  [/\/body-.*-bigint$/, 'JSON numbers of 30 digits are floats here, integers in Python'],
  [/^render\/ds-/, 'the streamed form of derender'],
];

test('the server with all flags answers as the real one', async () => {
  assert.deepEqual(await unexplained('main'), []);
});

test('a server with an API key and a reasoning parser answers as the real one', async () => {
  assert.deepEqual(await unexplained('auth'), []);
});

test('each known difference is one', async () => {
  const differing = [...(await differences('main')), ...(await differences('auth'))];
  const idle = known.filter(
    ([ids]) => !differing.some((line) => ids.test(line.split(': ')[0] ?? '')),
  );
  assert.deepEqual(
    idle.map(([, reason]) => reason),
    [],
  );
});

async function unexplained(server: 'main' | 'auth'): Promise<string[]> {
  const all = await differences(server);
  return all.filter((line) => !known.some(([ids]) => ids.test(line.split(': ')[0] ?? '')));
}

const results = new Map<string, Promise<string[]>>();

function differences(server: 'main' | 'auth'): Promise<string[]> {
  const running = results.get(server) ?? run(server);
  results.set(server, running);
  return running;
}

async function run(server: 'main' | 'auth'): Promise<string[]> {
  return (await runWireCases(server, files)).flatMap(({ one, difference }) =>
    difference === undefined ? [] : [`${one.id}: ${difference}`],
  );
}
