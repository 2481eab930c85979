import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadWebpage } from './index.ts';

test('maps URL paths to the files of the page, with types and cache lifetimes', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'webpage-'));
  context.after(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, 'assets'));
  await writeFile(join(directory, 'index.html'), '<!doctype html>');
  await writeFile(join(directory, 'assets', 'main-1A2B.js'), 'let a;');
  await writeFile(join(directory, 'assets', 'main.js.map'), '{}');
  const files = await loadWebpage(directory);
  assert.deepEqual([...files.keys()].sort(), ['/', '/assets/main-1A2B.js']);
  assert.equal(files.get('/')?.contentType, 'text/html; charset=utf-8');
  assert.equal(files.get('/')?.cacheControl, 'no-cache');
  assert.match(files.get('/assets/main-1A2B.js')?.cacheControl ?? '', /immutable/);
});
