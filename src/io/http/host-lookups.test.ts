import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostLookups } from './host-lookups.ts';

const at = (...addresses: string[]) => addresses.map((address) => ({ address, family: 4 }));
const failure = (code: string) => Object.assign(new Error(code), { code });

/** A resolver that answers when the test says so. */
function scripted(direct: readonly { address: string; family: number }[] = []) {
  const asked: string[] = [];
  const answers: Parameters<HostLookups['find']>[1][] = [];
  const lookups = new HostLookups({
    lookup: (host, answer) => {
      asked.push(host);
      answers.push(answer);
    },
    resolve: async () => direct,
  });
  const find = (host: string) =>
    new Promise<string>((resolve) =>
      lookups.find(host, (error, found) =>
        resolve(error?.code ?? found.map(({ address }) => address).join()),
      ),
    );
  return { lookups, asked, answers, find };
}

test('a host is asked for once, however many connections wait for it', async () => {
  const { asked, answers, find } = scripted();
  const found = [find('a'), find('a'), find('b')];
  assert.deepEqual(asked, ['a', 'b']);
  answers[0]?.(null, at('1.1.1.1'));
  answers[1]?.(failure('ENOTFOUND'), []);
  assert.deepEqual(await Promise.all(found), ['1.1.1.1', '1.1.1.1', 'ENOTFOUND']);
});

test('while the resolver is silent, a known host has its last addresses; its change counts afterwards', async () => {
  const { asked, answers, find } = scripted();
  const first = find('a');
  answers[0]?.(null, at('1.1.1.1'));
  assert.equal(await first, '1.1.1.1');
  assert.equal(await find('a'), '1.1.1.1');
  assert.equal(await find('a'), '1.1.1.1');
  assert.equal(asked.length, 2, 'no further question while one is open');
  answers[1]?.(null, at('2.2.2.2'));
  const later = find('a');
  answers[2]?.(failure('EAI_AGAIN'), []);
  assert.equal(await later, '2.2.2.2', 'a failure of the resolver changes nothing');
  const gone = find('a');
  answers[3]?.(failure('ENOTFOUND'), []);
  assert.equal(await gone, 'ENOTFOUND');
});

test('a host that is not known is asked for without the system’s resolver, if that is busy', async () => {
  const { find } = scripted(at('3.3.3.3'));
  const startMs = performance.now();
  assert.equal(await find('a'), '3.3.3.3');
  assert.ok(performance.now() - startMs < 3_000);
});

test('a connection gets one address or all, of the family that it asks for', async () => {
  const { lookups, answers } = scripted();
  const given: unknown[] = [];
  lookups.lookup('a', { all: true }, (...all) => given.push(all));
  lookups.lookup('a', { family: 6 }, (...one) => given.push(one));
  answers[0]?.(null, [...at('1.1.1.1'), { address: '::2', family: 6 }]);
  assert.deepEqual(given, [
    [
      null,
      [
        { address: '1.1.1.1', family: 4 },
        { address: '::2', family: 6 },
      ],
    ],
    [null, '::2', 6],
  ]);
});
