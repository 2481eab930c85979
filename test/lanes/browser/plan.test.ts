// The page of a plan as printed by Chromium: one sheet of A4.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { launchChromium } from './chromium.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-plan-page-'));
after(() => rmSync(directory, { recursive: true }));
const cases = 'docs/guide/plan/cases';

/**
 * A short plan, one with refusals, and the longest page: goals, tenants, the current deployment,
 * many assumptions.
 */
const plans: readonly { readonly name: string; readonly args: readonly string[] }[] = [
  { name: 'CPU only', args: ['-f', `${cases}/12-cpu-only.yaml`] },
  { name: 'refusals and rejects', args: ['-f', `${cases}/06-lmcache-without-reuse.yaml`] },
  {
    name: 'everything at once',
    args: [
      ...['-f', `${cases}/14-lora.yaml`, '--want-kv-offload', 'lmcache', '--budget-per-hour', '5'],
      ...['--hbm-monitoring', 'false', '--hand-rolled', 'true', '--slo-ttft-ms', '1'],
      ...['--slo-tpot-ms', '1', '--slo-e2e-ms', '10', '--current-engines', '2'],
      ...['--threshold-hbm-utilization', '0.9'],
    ],
  },
];

for (const { name, args } of plans) {
  test(`the page of a plan prints on one sheet: ${name}`, async () => {
    const html = join(directory, 'plan.html');
    const pdf = join(directory, 'plan.pdf');
    await spillway('plan', ...args, '--html', html);
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      const asked: string[] = [];
      page.on('request', (request) => asked.push(request.url()));
      await page.goto(pathToFileURL(html).href);
      assert.equal(await page.locator('svg').count(), 3);
      assert.equal(asked.length, 1, 'nothing else is requested');
      await page.pdf({ path: pdf, preferCSSPageSize: true });
    } finally {
      await browser.close();
    }
    // Page objects, which Chromium does not compress.
    const pages = readFileSync(pdf, 'latin1').match(/\/Type\s*\/Page\b(?!s)/g)?.length;
    assert.equal(pages, 1);
  });
}

/** Exit statuses 0 and 3 mean plans. */
async function spillway(...args: string[]): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, ['src/cli/main.ts', ...args], {
      ...{ timeout: 100_000, maxBuffer: 16 << 20 },
    });
  } catch (error) {
    if ((error as { code?: unknown }).code !== 3) throw error;
  }
}
