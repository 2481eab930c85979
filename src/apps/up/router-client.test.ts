// What is asked of a router, by a scripted one.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { listening } from '../../../test/support/listening.ts';
import { routerView } from '../../../test/support/router-views.ts';
import { engineSeriesNames, fleetSeriesNames } from '../../core/views/index.ts';
import { RouterClient } from './router-client.ts';

/** A client of a router that responds with these bodies by path; 404 without one. */
async function clientOf(context: TestContext, views: Readonly<Record<string, unknown>>) {
  const asked: string[] = [];
  const url = await listening(context, ({ url: path = '', headers }, response) => {
    asked.push(`${path} ${headers.authorization}`);
    const view = views[path];
    response.writeHead(view === undefined ? 404 : 200).end(JSON.stringify(view));
  });
  return { client: new RouterClient(url, 'k', undefined), asked };
}

const requestTo = (url: string | null) => ({
  ...{ atSeconds: 1, requestId: 'r', model: 'm', url, engine: url, status: 200, seconds: 1 },
  ...{ outcome: 'completed', ttftSeconds: null, outputTokens: null },
  ...{ sentSeconds: 0.1, attempts: 1, promptTokens: 1, cachedTokens: null },
});
const pickOf = (url: string) => ({
  ...{ atSeconds: 1, requestId: 'r', model: 'm', promptTokens: 1, url, engine: url },
  ...{ reason: 'turn', cachedTokens: 0, candidates: [url], scores: null },
});
const seriesOf = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, [1]]));

test('the view of the router is asked for with the key', async (context) => {
  const view = routerView({ policy: 'session' });
  const { client, asked } = await clientOf(context, { '/debug/router': view });
  assert.deepEqual(await client.view(), view);
  assert.deepEqual(asked, ['/debug/router Bearer k']);
});

test('a router that has no view, or is gone, has none', async (context) => {
  const { client } = await clientOf(context, {});
  assert.equal(await client.view(), undefined);
  const gone = new RouterClient('http://127.0.0.1:1', undefined, undefined);
  assert.equal(await gone.view(), undefined);
});

test('a view of another shape is an error, not an empty view', async (context) => {
  const { client } = await clientOf(context, { '/debug/router': { policy: 1 } });
  await assert.rejects(client.view(), /policy must be a text, not 1/);
});

test('the traffic of an engine is its own part of the router’s', async (context) => {
  const url = 'http://a:1';
  const series = { url, name: 'a', series: seriesOf(engineSeriesNames) };
  const { client } = await clientOf(context, {
    '/debug/requests': [requestTo(url), requestTo('http://b:1'), requestTo(null)],
    '/debug/picks': [pickOf('http://b:1'), pickOf(url)],
    '/dashboard/history?engine=http%3A%2F%2Fa%3A1': {
      ...{ intervalSeconds: 5, atSeconds: [1], fleet: seriesOf(fleetSeriesNames) },
      engines: [series],
    },
  });
  assert.deepEqual(await client.traffic(url), {
    ...{ requests: [requestTo(url)], picks: [pickOf(url)], history: series },
  });
});

test('each part of the traffic is empty if it is not to be had', async (context) => {
  const { client } = await clientOf(context, { '/debug/picks': [pickOf('u')] });
  const traffic = await client.traffic('u');
  assert.deepEqual(traffic, { requests: [], picks: [pickOf('u')], history: undefined });
});
