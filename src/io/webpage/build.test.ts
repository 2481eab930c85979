import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { webpageDirectory } from './index.ts';

/** The places of a clone with this script, removed after the test. */
function clone(t: TestContext, script: string) {
  const root = mkdtempSync(join(tmpdir(), 'webpage-'));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, 'scripts'));
  writeFileSync(join(root, 'scripts', 'build-web.ts'), script);
  const built = join(root, 'web', 'dist');
  return { built, places: { built: [built], script: join(root, 'scripts', 'build-web.ts') } };
}

const building = `
import { mkdirSync, writeFileSync } from 'node:fs';
mkdirSync('web/dist', { recursive: true });
writeFileSync('web/dist/index.html', '<!doctype html>');
`;

test('a clone without a page builds it', async (t) => {
  const { built, places } = clone(t, building);
  assert.deepEqual(await webpageDirectory(places), { directory: built });
});

test('a page that is there is not built again', async (t) => {
  const { built, places } = clone(t, 'throw new Error("built again");');
  mkdirSync(built, { recursive: true });
  writeFileSync(join(built, 'index.html'), '');
  assert.deepEqual(await webpageDirectory(places), { directory: built });
});

test('a build that fails gives its error, and one that writes nothing is a failure', async (t) => {
  const failing = clone(t, 'throw new TypeError("no bundler");');
  assert.deepEqual(await webpageDirectory(failing.places), {
    problem: 'the page could not be built: TypeError: no bundler',
  });
  const idle = clone(t, 'export {};');
  assert.deepEqual(await webpageDirectory(idle.places), {
    problem: 'the page could not be built: its script wrote nothing',
  });
});

test('an installation without page and script has none', async (t) => {
  const { places } = clone(t, building);
  rmSync(places.script);
  assert.deepEqual(await webpageDirectory(places), { problem: 'this installation has no page' });
});
