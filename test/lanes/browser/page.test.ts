// The web page in a real browser, against a real stack.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import { UpProcess } from '../../support/up-process.ts';

/** What the tests use of the page's elements; the DOM's types are not among ours. */
interface Meter {
  readonly value: number;
}
interface Focusable {
  matches(selector: string): boolean;
}

let up: UpProcess;
let browser: Browser;

before(async () => {
  up = await UpProcess.start(['--engines', '2', '--json']);
  await up.ready();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    // CI runs as root in a container, where Chromium's own sandbox cannot start.
    args: ['--no-sandbox'],
  });
});

after(async () => {
  await browser?.close();
  await up?.end('SIGKILL');
});

test('the page shows every engine and what traffic does to it', async () => {
  const { page, problems } = await open();
  await page
    .getByRole('article', { name: 'Engine 2' })
    .getByText('live', { exact: true })
    .waitFor();
  await requests(6);
  const picks = page.getByRole('row');
  await picks.filter({ hasText: 'Engine 1' }).first().waitFor();
  await picks.filter({ hasText: 'Engine 2' }).first().waitFor();
  await total(page, 'requests', (text) => text === '6');
  await total(page, 'hit rate', (text) => text.endsWith('%'));
  const meter = page.getByRole('meter', { name: /KV blocks of engine 1/ });
  const share = await meter.evaluate((element) => (element as unknown as Meter).value);
  assert.ok(share >= 0 && share <= 100, String(share));
  assert.ok((await page.locator('canvas').count()) >= 4, 'time lines are drawn');
  assert.deepEqual(problems, []);
  await page.close();
});

test('the page loads nothing from elsewhere and obeys its own security policy', async () => {
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
  await page.getByRole('row').filter({ hasText: 'Engine 1' }).first().waitFor();
  const engine = page.getByRole('button', { name: 'Engine 2' });
  for (let i = 0; i < 10 && !(await isFocused(engine)); i++) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await engine.getAttribute('aria-pressed'), 'true');
  const rows = page.getByRole('row').filter({ hasText: 'Engine 1' });
  await rows.first().waitFor({ state: 'detached' });
  await page.close();
});

test('dark and light follow the system, and a phone does not scroll sideways', async () => {
  const backgrounds = new Set<string>();
  for (const colorScheme of ['dark', 'light'] as const) {
    const page = await browser.newPage({ colorScheme, viewport: { width: 360, height: 740 } });
    await page.goto(`${up.url}/`);
    await page.getByText('live', { exact: true }).first().waitFor();
    backgrounds.add(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
    assert.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'));
    await page.close();
  }
  assert.equal(backgrounds.size, 2);
});

test('when the router restarts, the page says so and goes on', async () => {
  const { page } = await open();
  await page.getByText('live', { exact: true }).first().waitFor();
  process.kill(up.pids.get('router') ?? 0, 'SIGKILL');
  await page.getByRole('alert').getByText('does not answer').waitFor();
  await page.getByText(/The router restarted .* ago/).waitFor();
  await page.locator('.connection.live').waitFor();
  await page.close();
});

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

/** Waits until the number below a heading of the totals is as wanted. */
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

/** Sends chats with different long prompts, all at once, so that every engine gets some. */
async function requests(count: number): Promise<void> {
  const answers = Array.from({ length: count }, async (_, index) => {
    const response = await fetch(`${up.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'Qwen/Qwen3-8B',
        max_tokens: 32,
        messages: [{ role: 'user', content: `${index} `.repeat(400) }],
      }),
    });
    await response.arrayBuffer();
    assert.equal(response.status, 200);
  });
  await Promise.all(answers);
}
