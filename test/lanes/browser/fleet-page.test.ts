// The web page in a real browser with a large fleet: 200 engines, some of them dead.
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { startRouter } from '../../../src/apps/router/index.ts';
import { parseEngineViews } from '../../../src/core/views/index.ts';
import { createLogger } from '../../../src/io/log/index.ts';
import { loadWebpage } from '../../../src/io/webpage/index.ts';
import { eventually } from '../../support/fleet.ts';
import { post, stack } from '../../support/router-stack.ts';
import {
  chunk,
  eventStreamHead,
  type Script,
  type ScriptedEngine,
  startScriptedEngine,
} from '../../support/scripted-engine.ts';
import { launchChromium } from './chromium.ts';

const enginesMax = 200;
const phone = { width: 390, height: 844 };

let browser: Browser;

before(async () => {
  browser = await launchChromium();
});

after(() => browser?.close());

/** The metrics of an engine whose KV cache is used by a share that depends on its number. */
function metricsOf(index: number): string {
  return [
    `vllm:num_requests_running{engine="0"} ${index % 17}`,
    `vllm:num_requests_waiting{engine="0"} ${index % 5 === 0 ? index % 7 : 0}`,
    `vllm:kv_cache_usage_perc{engine="0"} ${(index % 100) / 100}`,
    'vllm:cache_config_info{block_size="16",num_gpu_blocks="2000"} 1',
    '',
  ].join('\n');
}

/** A router over 200 engines, of which the first has ended. */
async function largeFleet(t: TestContext): Promise<string> {
  const engines: ScriptedEngine[] = [];
  for (let i = 1; i <= enginesMax; i++) {
    engines.push(await startScriptedEngine({ metrics: () => metricsOf(i) }));
  }
  const router = await startRouter({
    port: 0,
    engines: engines.map(({ url }, i) => ({ url, models: [], name: `qwen3-8b-${i + 1}` })),
    policy: 'roundrobin',
    log: createLogger({ stream: process.stderr, level: 'critical', format: 'text' }),
    statsIntervalMs: 500,
    webpage: await loadWebpage('web/dist'),
  });
  t.after(async () => {
    await router.close(0);
    await Promise.all(engines.map((engine) => engine.close()));
  });
  await router.probed;
  const first = async () => parseEngineViews(await textOf(`${router.url}/engines`))[0];
  await eventually(async () => (await first())?.reported !== null, 'the first engine has reported');
  await engines[0]?.close();
  await (await post(router, { model: 'm', messages: [] })).text();
  await eventually(async () => (await first())?.state === 'dead', 'the first engine is dead');
  return router.url;
}

async function textOf(url: string): Promise<string> {
  return (await fetch(url)).text();
}

async function open(url: string, options: Parameters<Browser['newPage']>[0]): Promise<Page> {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(20_000);
  await page.goto(`${url}/`);
  await page.getByText(`${enginesMax} engines`).waitFor();
  return page;
}

function namesOf(page: Page): Promise<(string | null)[]> {
  const rows = page.locator('.rows article');
  return rows.evaluateAll((elements) =>
    (elements as unknown as { getAttribute(name: string): string | null }[]).map((element) =>
      element.getAttribute('aria-label'),
    ),
  );
}

test('200 engines are rows that can be sorted, filtered and opened', async (t) => {
  const url = await largeFleet(t);
  const page = await open(url, { viewport: { width: 1280, height: 900 } });
  assert.equal((await namesOf(page)).length, 50);
  await page.getByLabel('Order of engines').selectOption('kv');
  await page.locator('.rows article').first().getByText('99%').waitFor();
  assert.deepEqual((await namesOf(page)).slice(0, 2), ['qwen3-8b-99', 'qwen3-8b-199']);
  await page.getByLabel('Order of engines').selectOption('problems');
  const dead = page.getByRole('article', { name: 'qwen3-8b-1', exact: true });
  await dead.getByText('dead').first().waitFor();
  await dead
    .getByText(/ECONNREFUSED|reset|closed/i)
    .first()
    .waitFor();
  assert.equal((await namesOf(page))[0], 'qwen3-8b-1');
  await dead.getByRole('button').first().click();
  await dead.getByText(/dead for .*(ECONNREFUSED|reset)/i).waitFor();
  await dead.getByText(/last report .* ago, not shown/).waitFor();
  await page.getByLabel(/Filter engines/).fill('8b-17');
  await page.getByText('11 of 200 engines').waitFor();
  await page.getByLabel(/Filter engines/).fill('');
  await page.getByLabel('State of engines').selectOption('not-live');
  await page.getByText('1 of 200 engines').waitFor();
  await page.getByLabel('State of engines').selectOption('all');
  await page.getByRole('button', { name: 'Show 50 more of 150' }).click();
  assert.equal((await namesOf(page)).length, 100);
  await page.close();
});

test('a dead engine counts in no total', async (t) => {
  const { router, engines } = await stack(
    t,
    [{ metrics: () => 'vllm:num_requests_running 40\n' }, { metrics: () => metricsOf(3) }],
    { statsIntervalMs: 100, webpage: await loadWebpage('web/dist') },
  );
  const page = await browser.newPage();
  await page.goto(`${router.url}/`);
  const running = page.locator('.total').filter({ hasText: 'running' }).locator('dd');
  await eventually(async () => (await running.textContent()) === '43', 'both engines count');
  await engines[0]?.close();
  for (let i = 0; i < 2; i++) await (await post(router, { model: 'm', messages: [] })).text();
  await eventually(async () => (await running.textContent()) === '3', 'the dead one does not');
  await page.getByText('1/2').waitFor();
  await page.close();
});

test('latencies are shown for all models together and for each', async (t) => {
  const stream: NonNullable<Script['onRequest']> = ({ socket }) => {
    socket.write(eventStreamHead + chunk('data: {}\n\n'));
    socket.write(chunk('data: {}\n\n') + chunk('data: [DONE]\n\n') + chunk(''));
  };
  const { router } = await stack(
    t,
    [
      { models: ['big'], onRequest: stream },
      { models: ['small'], onRequest: stream },
    ],
    { webpage: await loadWebpage('web/dist') },
  );
  for (const model of ['big', 'small', 'small']) {
    await (await post(router, { model, stream: true, messages: [] })).text();
  }
  const page = await browser.newPage();
  await page.goto(`${router.url}/`);
  for (const [title, requests] of [
    ['All models', 3],
    ['small', 2],
    ['big', 1],
  ] as const) {
    const card = page.getByRole('article', { name: `Latencies of ${title}`, exact: true });
    const row = card.getByRole('row').filter({ hasText: 'TTFT' });
    await row.getByRole('cell', { name: String(requests), exact: true }).waitFor();
    assert.equal(await card.getByText('emulated').count(), 0);
  }
  await page.close();
});

test('on a phone, no width is exceeded with 200 engines, and rows and figures are legible', async (t) => {
  const url = await largeFleet(t);
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await open(url, { viewport: phone, colorScheme });
    await page
      .getByRole('article', { name: 'qwen3-8b-2', exact: true })
      .getByRole('button')
      .click();
    assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'));
    const sizes = await page.evaluate(
      `[...document.querySelectorAll('main *')]
        .filter((e) => e.childNodes.length > 0 && e.offsetWidth > 0 && e.textContent.trim() !== '')
        .map((e) => parseFloat(getComputedStyle(e).fontSize))`,
    );
    assert.ok(Math.min(...(sizes as number[])) >= 12, 'no text is smaller than 12 px');
    const screenshots = process.env.SCREENSHOTS;
    if (screenshots) {
      await page.screenshot({ path: `${screenshots}/phone-${colorScheme}.png`, fullPage: true });
    }
    await page.close();
  }
});
