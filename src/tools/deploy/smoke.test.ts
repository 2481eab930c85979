// The smoke test against a scripted router on a real socket.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type RouterScript, scriptedRouter } from '../../../test/support/scripted-router.ts';
import { type EnginePod, type SmokeReport, smoke } from './smoke.ts';

const a = { name: 'engine-a', ip: '10.0.0.1' };
const b = { name: 'engine-b', ip: '10.0.0.2' };
const from = ({ name, ip }: EnginePod) => ({ url: `http://${ip}:8000`, name });

async function tested(
  t: TestContext,
  script: RouterScript,
  engines?: readonly EnginePod[],
): Promise<SmokeReport> {
  const { url } = await scriptedRouter(t, script);
  return smoke({ url, engines, timeoutMs: 10_000 });
}

function resultsOf({ checks }: SmokeReport): string {
  return checks.map(({ name, result }) => `${name} ${result}`).join(', ');
}

function detailOf({ checks }: SmokeReport, wanted: string): string {
  return checks.find(({ name }) => name === wanted)?.detail ?? '';
}

test('a stack that serves passes all checks', async (t) => {
  const report = await tested(t, { engines: [from(a), from(b)] }, [a, b]);
  assert.equal(
    resultsOf(report),
    'models ok, chat ok, completion ok, stream ok, routing ok, metrics ok',
  );
  assert.equal(report.ok, true);
  assert.equal(detailOf(report, 'routing'), 'all of 2 engines responded, after 2 requests');
});

test('an engine that gets no request fails the test', async (t) => {
  const report = await tested(t, { engines: [from(a)] }, [a, b]);
  assert.equal(report.ok, false);
  assert.equal(
    detailOf(report, 'routing'),
    'engine-b (10.0.0.2) got none of 24 requests; 1 of 2 engines responded',
  );
});

test('pods that share an address are known by their names, also with a namespace before them', async (t) => {
  const shared = [a, { ...b, ip: a.ip }] as const;
  const one = await tested(t, { engines: [from(shared[0])] }, shared);
  assert.equal(one.ok, false);
  const both = shared.map((pod) => ({ ...from(pod), name: `llm/${pod.name}` }));
  assert.equal((await tested(t, { engines: both }, shared)).ok, true);
  const nameless = await tested(t, { engines: [{ url: `http://${a.ip}:8000` }] }, shared);
  assert.equal(nameless.ok, false);
});

test('an address alone names a pod, also one of IPv6', async (t) => {
  const engines = [{ url: 'http://10.0.0.1:8000' }, { url: 'http://[fd00::2]:8000' }];
  const report = await tested(t, { engines }, [a, { name: 'engine-b', ip: 'fd00::2' }]);
  assert.equal(report.ok, true, detailOf(report, 'routing'));
});

test('responses that name no engine, or one that is not of the release, fail the check of routing', async (t) => {
  const silent = await tested(t, {}, [a, b]);
  assert.match(detailOf(silent, 'routing'), /^responses do not name their engine/);
  assert.equal(silent.ok, false);
  const service = await tested(t, { engines: [{ url: 'http://engines:80', name: 'engines' }] }, [
    a,
  ]);
  assert.match(
    detailOf(service, 'routing'),
    /; other responses are from http:\/\/engines:80, which is no engine of the release$/,
  );
  assert.equal(service.ok, false);
});

test('without known engines routing is skipped, without ready ones it fails', async (t) => {
  const unknown = await tested(t, {});
  assert.match(resultsOf(unknown), /routing skipped/);
  assert.equal(unknown.ok, true);
  assert.equal((await tested(t, {}, [])).ok, false);
});

test('empty text, cut streams, errors, no models and metrics of others fail, each in its check', async (t) => {
  const empty = await tested(t, { text: ' ' });
  assert.equal(detailOf(empty, 'completion'), 'm responded with an empty completion');
  const cut = await tested(t, { cutsStreams: true });
  assert.equal(
    resultsOf(cut),
    'models ok, chat ok, completion ok, stream failed, routing skipped, metrics ok',
  );
  const broken = await tested(t, { status: 500, engines: [from(a)] }, [a]);
  assert.equal(
    resultsOf(broken),
    'models ok, chat failed, completion failed, stream failed, routing failed, metrics ok',
  );
  assert.match(detailOf(broken, 'routing'), /^status 500: .*broken/);
  const none = await tested(t, { models: [] }, [a]);
  assert.equal(
    resultsOf(none),
    'models failed, chat skipped, completion skipped, stream skipped, routing skipped, metrics ok',
  );
  assert.equal(none.ok, false);
  assert.match(resultsOf(await tested(t, { metrics: 'other 1\n' })), /metrics failed$/);
  const locked = await tested(t, { apiKey: 'k' });
  assert.match(detailOf(locked, 'models'), /OPENAI_API_KEY/);
});

test('each generating model gets a chat, which must not be empty', async (t) => {
  const empty = await tested(t, { chatText: ' ' });
  assert.equal(detailOf(empty, 'chat'), 'm responded with an empty chat');
  assert.equal(empty.ok, false);
  const refused = await tested(t, { chatRefusal: 'Token id 151644 is out of vocabulary' });
  assert.match(detailOf(refused, 'chat'), /^status 400: .*out of vocabulary/);
  assert.equal(refused.ok, false);
});

test('a model without a chat template passes, since vLLM refuses chats with it', async (t) => {
  const report = await tested(t, {
    chatRefusal: 'As of transformers v4.44, default chat template is no longer allowed',
  });
  assert.equal(detailOf(report, 'chat'), 'm has no chat template, so it refuses chats');
  assert.equal(report.ok, true);
});

test('a model that returns vectors or scores gets a request for them', async (t) => {
  for (const [kind, what] of [
    ['vectors', /^m: an embedding in \d+ ms$/],
    ['scores', /^m: a score in \d+ ms$/],
  ] as const) {
    const report = await tested(t, { kind, engines: [from(a)] }, [a]);
    assert.equal(
      resultsOf(report),
      'models ok, chat ok, completion skipped, stream skipped, routing ok, metrics ok',
    );
    assert.match(detailOf(report, 'chat'), what);
    assert.equal(detailOf(report, 'stream'), 'no model generates text');
    assert.equal(report.ok, true);
  }
});

test('a router that is not there fails each check with the reason', async () => {
  const report = await smoke({ url: 'http://127.0.0.1:9', timeoutMs: 5_000 });
  assert.equal(report.ok, false);
  assert.match(detailOf(report, 'models'), /ECONNREFUSED/);
});
