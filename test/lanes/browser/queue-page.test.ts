// The admission queue on the web page, in a real browser: what waits in the router, and what it rejected.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { loadWebpage } from '../../../src/io/webpage/index.ts';
import { eventually } from '../../support/fleet.ts';
import { post, stack } from '../../support/router-stack.ts';
import { respond } from '../../support/scripted-engine.ts';
import { launchChromium } from './chromium.ts';

let browser: Browser;

before(async () => {
  browser = await launchChromium();
});

after(() => browser?.close());

test('requests that wait in the router are shown with their priorities, and so are rejected ones', async (t) => {
  let waiting = 20;
  const { router } = await stack(
    t,
    [
      {
        metrics: () =>
          `vllm:num_requests_running 5\nvllm:num_requests_waiting ${waiting}\nvllm:kv_cache_usage_perc 0.99\n`,
        onRequest: ({ socket }) => respond(socket, 200, '{"ok":true}'),
      },
    ],
    {
      admission: { queueTimeout: 600, maxQueuedRequests: 2, saturationWait: 2, holdTimeout: 0 },
      ...{ statsIntervalMs: 25, webpage: await loadWebpage('web/dist') },
    },
  );
  const page = await browser.newPage();
  await page.goto(`${router.url}/`);
  const total = (name: string) =>
    page.locator('.total').filter({ has: page.getByText(name, { exact: true }) });
  const shows = (name: string, value: string) =>
    eventually(
      async () => (await total(name).locator('dd').textContent()) === value,
      `${name} is ${value}`,
    );
  const isWarning = async (name: string) =>
    /\bwarning\b/.test((await total(name).getAttribute('class')) ?? '');
  await shows('waiting', '20');
  await shows('queued', '0');
  assert.deepEqual([await isWarning('queued'), await isWarning('rejected')], [false, false]);

  const body = { model: 'm', messages: [] };
  const first = post(router, { ...body, priority: 3 });
  await shows('queued', '1');
  const second = post(router, { ...body, priority: -2 });
  await shows('queued', '2');
  assert.equal((await post(router, { ...body, priority: 9 })).status, 429);
  await shows('rejected', '1');
  assert.deepEqual([await isWarning('queued'), await isWarning('rejected')], [true, true]);
  const title = (await total('queued').getAttribute('title')) ?? '';
  assert.match(
    title,
    /all engines are saturated\nthe oldest for .+\npriority -2: 1\npriority 3: 1$/,
  );

  waiting = 0;
  assert.deepEqual([(await first).status, (await second).status], [200, 200]);
  await shows('queued', '0');
  assert.deepEqual([await isWarning('queued'), await isWarning('rejected')], [false, true]);
  await page.close();
});

test('without a queue the page does not show one', async (t) => {
  const { router } = await stack(t, [{}], { webpage: await loadWebpage('web/dist') });
  const page = await browser.newPage();
  await page.goto(`${router.url}/`);
  await page.locator('.total').filter({ hasText: 'router up' }).waitFor();
  assert.equal(await page.locator('.total').filter({ hasText: 'queued' }).count(), 0);
  await page.close();
});
