import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openInBrowser } from './index.ts';

/** Creates a program that writes its arguments to a file and exits with a status. */
function browser(t: TestContext, status: number) {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-browser-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const [path, seen] = [join(directory, 'browser'), join(directory, 'seen')];
  writeFileSync(path, `#!/bin/sh\necho "$@" > "${seen}"\nexit ${status}\n`);
  chmodSync(path, 0o755);
  return { path, seen: () => readFileSync(seen, 'utf8') };
}

test('passes the URL to the program in BROWSER', async (t) => {
  const { path, seen } = browser(t, 0);
  const url = 'http://127.0.0.1:8000/';
  assert.equal(await openInBrowser(url, { environment: { BROWSER: path } }), undefined);
  assert.equal(seen(), `${url}\n`);
});

test('reports a program that fails or is missing', async (t) => {
  const { path } = browser(t, 3);
  const open = (BROWSER: string) => openInBrowser('http://a/', { environment: { BROWSER } });
  assert.equal(await open(path), `${path} ended with exit code 3`);
  assert.equal(await open('/no/such/browser'), 'no program /no/such/browser');
});

test('without BROWSER the platform decides', async () => {
  const environment = { PATH: '/none' };
  const before = process.env['PATH'];
  process.env['PATH'] = '/none';
  try {
    const open = (platform: NodeJS.Platform) =>
      openInBrowser('http://a/', { environment, platform });
    assert.deepEqual(await Promise.all([open('linux'), open('darwin'), open('win32')]), [
      ...['no program xdg-open', 'no program open', 'no program cmd'],
    ]);
  } finally {
    process.env['PATH'] = before;
  }
});
