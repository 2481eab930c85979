// The web page in a real browser, against a real stack.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { UpProcess } from '../../support/up-process.ts';
import { launchChromium } from './chromium.ts';

/** The parts of page elements that the tests use; the DOM's types are not included here. */
interface Meter {
  readonly value: number;
}
interface Focusable {
  matches(selector: string): boolean;
}

/** Names of the engines, from their entry in the preset. */
const [firstName, secondName] = ['qwen3-8b-1', 'qwen3-8b-2'];

let up: UpProcess;
let browser: Browser;

before(async () => {
  up = await UpProcess.start(['--engines', '2', '--json']);
  await up.ready();
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  await up?.end('SIGKILL');
});

test('the page shows every engine and the effect of traffic', async () => {
  const { page, problems } = await open();
  const second = page.getByRole('article', { name: secondName, exact: true });
  await second.getByText('live', { exact: true }).waitFor();
  await requests(6);
  const picks = page.getByRole('row');
  await picks.filter({ hasText: firstName }).first().waitFor();
  await picks.filter({ hasText: secondName }).first().waitFor();
  await total(page, 'requests', (text) => text === '6');
  await total(page, 'hit rate', (text) => text.endsWith('%'));
  const meter = page.getByRole('meter', { name: `KV blocks of ${firstName} in use` });
  const share = await meter.evaluate((element) => (element as unknown as Meter).value);
  assert.ok(share >= 0 && share <= 100, String(share));
  assert.ok((await page.locator('canvas').count()) >= 4, 'charts over time are drawn');
  assert.deepEqual(problems, []);
  await page.close();
});

test('the page loads nothing from other origins and follows its own security policy', async () => {
  const page = await browser.newPage();
  const hosts = new Set<string>();
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  const response = await page.goto(`${up.url}/`);
  await page.getByText('live', { exact: true }).first().waitFor();
  assert.match(response?.headers()['content-security-policy'] ?? '', /default-src 'self'/);
  assert.deepEqual([...hosts], [`127.0.0.1:${up.port}`]);
  await page.close();
});

test('the page works with the keyboard alone', async () => {
  const { page } = await open();
  await requests(4);
  await page.getByRole('row').filter({ hasText: firstName }).first().waitFor();
  await page.getByRole('row').filter({ hasText: secondName }).first().waitFor();
  const engine = page.getByRole('button', { name: secondName, exact: true });
  for (let i = 0; i < 20 && !(await isFocused(engine)); i++) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await engine.getAttribute('aria-pressed'), 'true');
  const rows = page.getByRole('row').filter({ hasText: firstName });
  await rows.first().waitFor({ state: 'detached' });
  await page.close();
});

test('latencies are shown for the model and each engine, marked as emulated', async () => {
  const { page, problems } = await open();
  await requests(4, { stream: true });
  const model = page.getByRole('article', { name: 'Latencies of Qwen/Qwen3-8B' });
  const engine = page.getByRole('article', { name: firstName, exact: true });
  for (const card of [model, engine]) {
    for (const name of ['TTFT', 'TPOT', 'end to end']) {
      const row = card.getByRole('row').filter({ hasText: name });
      await row
        .getByText(/^[\d.]+ m?s$/)
        .first()
        .waitFor();
    }
    await card.getByText('emulated', { exact: true }).waitFor();
  }
  assert.deepEqual(problems, []);
  await page.close();
});

test('4xx are counted beside 5xx, and ended requests are listed with their status', async () => {
  const { page } = await open();
  const refused = await fetch(`${up.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'unknown', messages: [] }),
  });
  assert.equal(refused.status, 404);
  await total(page, '4xx', (text) => Number(text) >= 1);
  await total(page, '5xx', (text) => text === '0');
  await page.getByRole('button', { name: 'Requests', exact: true }).click();
  await page.getByRole('cell', { name: '404' }).first().waitFor();
  await page.close();
});

test('a reload shows the history that the router has kept', async () => {
  const { page } = await open();
  const points = async () => {
    const response = await fetch(`${up.url}/dashboard/history`);
    return ((await response.json()) as { atSeconds: number[] }).atSeconds.length;
  };
  await up.until(async () => (await points()) >= 2);
  // What was asked for before the reload, newer points only, has no body after it.
  const loaded = page.waitForResponse((response) =>
    /\/dashboard\/history\?.*since=0$/.test(response.url()),
  );
  await page.reload();
  const { atSeconds } = (await (await loaded).json()) as { atSeconds: number[] };
  assert.ok(atSeconds.length >= 2);
  await page.getByText('requests', { exact: true }).first().waitFor();
  await page.close();
});

test('the theme switch overrides the system, and a reload keeps it', async () => {
  const page = await browser.newPage({ colorScheme: 'dark' });
  await page.goto(`${up.url}/`);
  const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
  const dark = await background();
  await page.getByLabel('Theme').selectOption('light');
  const light = await background();
  assert.notEqual(light, dark);
  await page.reload();
  await page.getByLabel('Theme').waitFor();
  assert.equal(await background(), light);
  await page.getByLabel('Theme').selectOption('system');
  assert.equal(await background(), dark);
  await page.close();
});

test('dark and light follow the system, and a phone does not scroll sideways', async () => {
  const backgrounds = new Set<string>();
  for (const colorScheme of ['dark', 'light'] as const) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 390, height: 844 } });
    await page.goto(`${up.url}/`);
    await page.getByText('live', { exact: true }).first().waitFor();
    backgrounds.add(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
    assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'));
    await page.close();
  }
  assert.equal(backgrounds.size, 2);
});

test('when the router restarts, the page says so and continues', async () => {
  const { page } = await open();
  await page.getByText('live', { exact: true }).first().waitFor();
  process.kill(up.pids.get('router') ?? 0, 'SIGKILL');
  await page.getByRole('alert').getByText('does not respond').waitFor();
  await page.getByText(/The router restarted .* ago/).waitFor();
  await page.locator('.connection.live').waitFor();
  await page.close();
});

test('with an API key, the page asks for it, sends it as a header, and forgets it with the tab', async () => {
  const env = { ...process.env, SPILLWAY_ROUTER_API_KEY: 'right-key' };
  const keyed = await UpProcess.start(['--engines', '1', '--json'], { env });
  try {
    await keyed.ready();
    const context = await browser.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const urls: string[] = [];
    page.on('request', (request) => urls.push(request.url()));
    const document = await page.goto(`${keyed.url}/`);
    assert.equal(document?.status(), 200);
    const field = page.getByLabel('The router requires an API key.');
    await field.fill('wrong-key');
    const again = page.getByLabel('The router refused this API key.');
    // The form closes at once, and opens again only when the router has refused the key.
    const answer = Promise.withResolvers<void>();
    await page.route('**/dashboard/events', async (route) => {
      await answer.promise;
      await route.continue();
    });
    assert.deepEqual(await page.evaluate(labelsAfterConnect), []);
    answer.resolve();
    await page.unroute('**/dashboard/events');
    await again.fill('right-key');
    await page.getByRole('button', { name: 'Connect' }).click();
    await page.locator('.connection.live').waitFor();
    await page.getByRole('article', { name: 'qwen3-8b', exact: true }).waitFor();
    assert.equal(await again.count(), 0);
    await page.reload();
    await page.locator('.connection.live').waitFor();
    assert.ok(urls.every((url) => !url.includes('-key')));
    const other = await context.newPage();
    await other.goto(`${keyed.url}/`);
    await other.getByLabel('The router requires an API key.').waitFor();
    await context.close();
  } finally {
    await keyed.end('SIGKILL');
  }
});

/** Clicks Connect, waits until the form has closed, and returns the labels that the form has shown since the click. */
const labelsAfterConnect = `new Promise((resolve) => {
  const labels = [];
  const observer = new MutationObserver(() => {
    const label = document.querySelector('.key-form label');
    if (label) return labels.push(label.textContent);
    observer.disconnect();
    resolve(labels);
  });
  observer.observe(document.body, { childList: true, characterData: true, subtree: true });
  document.querySelector('.key-form button').click();
})`;

/** Opens the page; `problems` collects errors of scripts and of the console. */
async function open(): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(`${up.url}/`);
  return { page, problems };
}

async function isFocused(locator: ReturnType<Page['getByRole']>): Promise<boolean> {
  return locator.evaluate((element) => (element as unknown as Focusable).matches(':focus'));
}

/** Waits until the number below a heading of the totals satisfies the condition. */
async function total(page: Page, name: string, isWanted: (text: string) => boolean): Promise<void> {
  const value = page
    .locator('.total')
    .filter({ has: page.getByText(name, { exact: true }) })
    .locator('dd');
  let text = '';
  await up.until(async () => {
    text = (await value.textContent()) ?? '';
    return isWanted(text);
  });
}

/** Sends concurrent chats with different long prompts, so that every engine gets some. */
async function requests(count: number, fields: object = {}): Promise<void> {
  const answers = Array.from({ length: count }, async (_, index) => {
    const response = await fetch(`${up.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'Qwen/Qwen3-8B',
        max_tokens: 32,
        ...fields,
        messages: [{ role: 'user', content: `${index} `.repeat(400) }],
      }),
    });
    await response.arrayBuffer();
    assert.equal(response.status, 200);
  });
  await Promise.all(answers);
}
