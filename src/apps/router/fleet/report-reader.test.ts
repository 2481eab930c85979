import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { respond, startScriptedEngine } from '../../../../test/support/scripted-engine.ts';
import { RepeatedGet, Ticker, UpstreamPool } from '../../../io/http/index.ts';
import { ReportReader } from './report-reader.ts';

/** A reader of an engine that responds with `[status, page]` to a target, and the targets so far. */
async function reading(t: TestContext, respondTo: (target: string) => readonly [number, string]) {
  const targets: string[] = [];
  const engine = await startScriptedEngine({
    onRequest: ({ target, socket }) => {
      targets.push(target);
      const [status, page] = respondTo(target.slice('/engine'.length));
      respond(socket, status, page);
    },
  });
  const ticker = new Ticker({ tickMs: 20 });
  const pool = new UpstreamPool({ url: engine.url, ticker });
  t.after(async () => {
    pool.close();
    ticker.stop();
    await engine.close();
  });
  const limits = { timeoutMs: () => 20_000, bytesMax: 1_000 };
  const get = (path: string) => new RepeatedGet(pool, { target: `/engine${path}`, ...limits });
  const reader = new ReportReader(get);
  return { reader, asked: () => targets.splice(0) };
}

const running = 'vllm:num_requests_running 3.0\n';

test('an engine is asked by name for the metrics of a report only', async (t) => {
  const { reader, asked } = await reading(t, () => [200, running]);
  for (let i = 0; i < 2; i++) assert.equal((await reader.read())?.running, 3);
  const [target = '', ...more] = asked();
  assert.deepEqual(more, [target]);
  const url = new URL(target, 'http://engine');
  assert.equal(url.pathname, '/engine/metrics/');
  const names = url.searchParams.getAll('name[]');
  for (const name of ['vllm:num_requests_waiting', 'vllm:cache_config_info']) {
    assert.ok(names.includes(name), name);
  }
});

for (const [what, status, page] of [
  ['returns nothing for names', 200, ''],
  ['does not have the path', 404, 'Not Found'],
  ['redirects it', 307, ''],
] as const) {
  test(`an engine that ${what} is asked for its whole page from then on`, async (t) => {
    const { reader, asked } = await reading(t, (target) =>
      target === '/metrics' ? [200, running] : [status, page],
    );
    assert.equal((await reader.read())?.running, 3);
    assert.equal(asked().length, 2);
    assert.equal((await reader.read())?.running, 3);
    assert.deepEqual(asked(), ['/engine/metrics']);
  });
}

test('an engine without metrics has no report', async (t) => {
  const { reader } = await reading(t, () => [404, '']);
  assert.equal(await reader.read(), undefined);
});
