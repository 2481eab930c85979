// What the page shows of single requests and of the whole fleet: waterfall, map of HBM, flow of tokens, what-if; and that a
// thousand engines leave the browser time. Axe checks it for screen readers.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { loadWebpage } from '../../../src/io/webpage/index.ts';
import { engineView, routerView } from '../../support/router-views.ts';
import { UpProcess } from '../../support/up-process.ts';
import { launchChromium } from './chromium.ts';

let browser: Browser;
let up: UpProcess;
let folder: string;
let planFile: string;

before(async () => {
  browser = await launchChromium();
  folder = mkdtempSync(join(tmpdir(), 'spillway-plan-'));
  planFile = join(folder, 'plan.json');
  const input = ['-f', 'docs/guide/plan/cases/07-no-offload.yaml', '--json'];
  const command = ['bin/spillway.mjs', 'plan', ...input];
  const made = spawnSync(process.execPath, command, { encoding: 'utf8', timeout: 110_000 });
  assert.equal(made.status, 0, made.stderr);
  writeFileSync(planFile, made.stdout);
  up = await UpProcess.start(['--engines', '2', '--json', '--plan', planFile]);
  await up.ready();
  await chats(12);
});

after(async () => {
  await browser?.close();
  await up?.end('SIGKILL');
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

async function chats(count: number): Promise<void> {
  const send = async (index: number) => {
    const response = await fetch(`${up.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ model: 'Qwen/Qwen3-8B', max_tokens: 24, stream: true },
        stream_options: { include_usage: true },
        messages: [{ role: 'user', content: `${'shared words '.repeat(100)} ${index}` }],
      }),
    });
    assert.equal(response.status, 200);
    await response.text();
  };
  for (let index = 0; index < count; index++) await send(index);
}

async function open(url: string, options: Parameters<Browser['newPage']>[0] = {}) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(30_000);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(`${url}/`);
  await page.locator('.connection.live').waitFor();
  return { page, problems };
}

test('the waterfall shows the parts of a request, its pick with scores, and its tiers', async () => {
  const { page, problems } = await open(up.url);
  await page.getByRole('button', { name: 'Waterfall' }).click();
  const rows = page.locator('.waterfall > li');
  await rows.first().waitFor();
  assert.equal(await rows.count(), 12);
  const bar = rows.first().getByRole('img');
  assert.match(
    (await bar.getAttribute('aria-label')) ?? '',
    /^in the router, .* ms, until the first token: .* ms, decode [\d.]+ ms$/,
  );
  const widths = await rows
    .first()
    .locator('.waterfall-bar > span')
    .evaluateAll((parts) =>
      (parts as unknown as { offsetWidth: number }[]).map((part) => part.offsetWidth),
    );
  assert.ok((widths.at(-1) ?? 0) > 20, `decode is drawn: ${widths}`);
  // By the keyboard: a summary takes the focus and opens with Enter.
  await rows.first().locator('summary').focus();
  await page.keyboard.press('Enter');
  await rows
    .first()
    .getByText(/prompt tokens.*\d+ tokens generated/)
    .waitFor();
  await rows.first().getByRole('table').getByText('(picked)').waitFor();
  assert.deepEqual(problems, []);
  await page.close();
});

test('the map of HBM and the flow of tokens have the figures in words', async () => {
  const { page } = await open(up.url);
  await page
    .getByRole('img', { name: /^HBM of the fleet\. 2 engines: .* of the KV blocks in use/ })
    .waitFor();
  await chats(4);
  const flow = page.locator('.tier-flow');
  await flow.getByText('found in HBM').waitFor();
  await flow.locator('dd').first().waitFor();
  await page.close();
});

test('the plan stands beside what is measured, and the gate says what it lacks', async () => {
  const plan = JSON.parse(readFileSync(planFile, 'utf8')) as {
    readonly impact: { readonly planned: { readonly ttftMs: { readonly mean: number } } };
  };
  const { page, problems } = await open(up.url);
  const card = page.getByRole('region', { name: 'Plan against actual' });
  const ttft = card.getByRole('row').filter({ hasText: 'TTFT' });
  const cells = ttft.getByRole('cell');
  await card.getByText(/means of the last \d+ streamed requests/).waitFor();
  const planned = plan.impact.planned.ttftMs.mean;
  assert.equal(await cells.nth(0).textContent(), `${planned.toFixed(planned < 10 ? 1 : 0)} ms`);
  assert.match((await cells.nth(2).textContent()) ?? '', /^\d.* (as planned|above|below)$/);
  const engines = card.getByRole('row').filter({ hasText: 'engines' });
  assert.match((await engines.getByRole('cell').nth(2).textContent()) ?? '', /^2 /);
  const gate = page.getByRole('region', { name: 'Gate on HBM utilization' });
  await gate.getByText('not enough data').first().waitFor();
  await gate.getByText(/2 of 2 engines with fewer than 90 % of the expected samples/).waitFor();
  assert.deepEqual(problems, []);
  await page.close();
});

test('what-if simulates the last requests on another fleet, in a worker', async () => {
  const { page, problems } = await open(up.url);
  const panel = page.getByRole('region', { name: 'What if' });
  await panel.getByRole('button', { name: 'Open' }).click();
  await panel.getByLabel('model').waitFor();
  assert.equal(await panel.getByLabel('model').inputValue(), 'Qwen/Qwen3-8B');
  assert.equal(await panel.getByLabel('engines').inputValue(), '2');
  await panel.getByLabel('load ×').fill('2');
  await panel.getByRole('button', { name: 'Simulate' }).click();
  await panel.getByText(/^Stable: the fleet keeps up/).waitFor();
  const row = panel.getByRole('row').filter({ hasText: 'TTFT' });
  assert.match((await row.textContent()) ?? '', /TTFT.*\d+ ms.*\d+ ms/);
  assert.equal(page.workers().length, 1);
  assert.deepEqual(problems, []);
  await page.close();
});

const axe = process.env['AXE'];
const axeSkip = axe === undefined && 'axe-core could not be downloaded from the npm registry';
test('axe finds nothing, in both themes, with every part open, on a desktop and a phone', {
  skip: axeSkip,
}, async () => {
  const script = readFileSync(axe ?? '', 'utf8');
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      const { page } = await open(up.url, {
        colorScheme,
        viewport: { width, height: 900 },
        bypassCSP: true,
      });
      for (const tab of ['Picks', 'Requests', 'Waterfall']) {
        await page.getByRole('button', { name: tab, exact: true }).click();
        if (tab === 'Waterfall') await page.locator('.waterfall summary').first().click();
        await inspect(page, script, `${colorScheme}, ${width} px, ${tab}`);
      }
      const panel = page.getByRole('region', { name: 'What if' });
      await panel.getByRole('button', { name: 'Open' }).click();
      await panel.getByRole('button', { name: 'Simulate' }).click();
      await panel.getByRole('table').waitFor();
      await inspect(page, script, `${colorScheme}, ${width} px, what if`);
      assert.ok(
        await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
        `${width} px`,
      );
      await page.close();
    }
  }
});

async function inspect(page: Page, script: string, where: string): Promise<void> {
  await page.evaluate(script);
  const [passes, found] = (await page.evaluate(
    `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(({ passes, violations }) => [passes.length,
      violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ target, failureSummary }) => target + ' ' + failureSummary).join(' | '))])`,
  )) as [number, string[]];
  assert.deepEqual(found, [], where);
  assert.ok(passes > 20, `${where}: ${passes} rules were checked`);
}

/** A router that only the page needs: a thousand engines whose figures change with each event. */
async function thousandEngines(t: TestContext): Promise<string> {
  const files = await loadWebpage('web/dist');
  let tick = 0;
  const view = () => {
    tick++;
    const engines = Array.from({ length: 1_000 }, (_, i) => {
      const share = ((i * 37 + tick * 3) % 100) / 100;
      return engineView(`engine-${i + 1}`, {
        reported: {
          kvUsage: share,
          blocksUsed: Math.round(share * 999),
          running: (i + tick) % 50,
          waiting: i % 3,
        },
        rates: {
          ...{
            promptTokensPerSecond: 900 + i,
            generationTokensPerSecond: 300 + tick,
            hitRate: 0.5,
          },
          ...{ hbmHitTokensPerSecond: 400, lowerTierTokensPerSecond: 50 },
        },
        latencies: {
          ttft: { count: 9, p50: share, p90: share + 0.1, p99: share + 0.2 },
          tpot: null,
          e2e: null,
        },
      });
    });
    return routerView({ engines, uptimeSeconds: tick, requests: tick * 100 });
  };
  const timers = new Set<NodeJS.Timeout>();
  const stream = (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const send = () => response.write(`data: ${JSON.stringify(view())}\n\n`);
    send();
    // As often as the router.
    const timer = setInterval(send, 1_000);
    timers.add(timer);
    response.on('close', () => clearInterval(timer));
  };
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const file = files.get(path);
    if (path === '/dashboard/events') stream(response);
    else if (path.startsWith('/debug/')) response.end('[]');
    else if (file !== undefined)
      response.writeHead(200, { 'content-type': file.contentType }).end(file.body);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const timer of timers) clearInterval(timer);
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Runs in the page: the three colours that the map of HBM has most of, and those that the theme has for it. */
const coloursOfMap = `(() => {
  const canvas = document.querySelector('.hbm-map canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const counts = new Map();
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] !== 255) continue;
    const colour = 'rgb(' + data.slice(i, i + 3).join(', ') + ')';
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, 3);
  const probe = document.body.appendChild(document.createElement('i'));
  const theme = ['--line', '--accent', '--bad'].map((name) => {
    probe.style.color = 'var(' + name + ')';
    return getComputedStyle(probe).color;
  });
  return [most.map(([colour]) => colour), theme];
})()`;

test('the map of HBM has the colours of the theme: empty, in use, and nearly full', async (t) => {
  const url = await thousandEngines(t);
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await open(url, { viewport: { width: 1280, height: 900 }, colorScheme });
    await page.getByRole('img', { name: /1,000 engines/ }).waitFor();
    const [drawn, theme] = await page.evaluate<[string[], string[]]>(coloursOfMap);
    assert.deepEqual(drawn.toSorted(), theme.toSorted(), colorScheme);
    await page.close();
  }
});

test('a thousand engines keep the main thread busy for at most a fifth of the time', async (t) => {
  const url = await thousandEngines(t);
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(30_000);
  await page.goto(`${url}/`);
  await page.getByRole('img', { name: /1,000 engines/ }).waitFor();
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  const threadSeconds = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'ThreadTime')?.value ?? Number.NaN;
  };
  // CPU time of the renderer's main thread. The least of three: other programs of the machine only add to it.
  const shares: number[] = [];
  for (let i = 0; i < 3; i++) {
    const [before, startMs] = [await threadSeconds(), performance.now()];
    await page.waitForTimeout(5_000);
    const busySeconds = (await threadSeconds()) - before;
    shares.push(busySeconds / ((performance.now() - startMs) / 1000));
  }
  t.diagnostic(
    `main thread busy: ${shares.map((share) => `${(100 * share).toFixed(1)} %`).join(', ')}`,
  );
  assert.ok(Math.min(...shares) <= 0.2, `${shares}`);
  await page.close();
});
