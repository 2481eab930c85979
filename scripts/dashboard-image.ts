// Takes docs/images/dashboard.png: the page in Chromium while the Mooncake conversation trace is replayed
// against `spillway up` with its default engines.
//
//   CHROMIUM=/usr/bin/chromium node scripts/dashboard-image.ts [--seconds 100] [--out FILE.png]
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { UpProcess } from '../test/support/up-process.ts';

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '100' },
    out: { type: 'string', default: 'docs/images/dashboard.png' },
  },
});
const trace = 'bench/data/mooncake-conversation.jsonl.gz';

const up = await UpProcess.start(['--json']);
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
try {
  await up.ready();
  const replay = spawn(
    process.execPath,
    [
      ...['bin/spillway.mjs', 'bench', 'replay', '--trace', trace, '--speed', '2.2'],
      ...['--url', `${up.url}/v1`],
    ],
    { stdio: 'ignore' },
  );
  await sleep(Number(flags.seconds) * 1000);
  const page = await browser.newPage({
    colorScheme: 'light',
    viewport: { width: 1200, height: 1450 },
  });
  await page.goto(`${up.url}/`);
  await page.getByRole('row').filter({ hasText: 'qwen3-8b' }).first().waitFor();
  await page.screenshot({ path: flags.out });
  replay.kill('SIGKILL');
} finally {
  await browser.close();
  await up.end('SIGTERM');
}
