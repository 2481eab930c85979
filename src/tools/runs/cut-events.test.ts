import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { randomInteger, seededRandom } from '../../core/base/index.ts';
import { cutEvents } from './cut-events.ts';

test('whole lines go from the end, at least as many bytes as asked for, and are counted', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-cut-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'events.jsonl');
  const random = seededRandom(3);
  const lines = Array.from(
    { length: 4_000 },
    (_, i) => `${i} ${'x'.repeat(randomInteger(random, 80))}\n`,
  );
  const text = lines.join('');
  for (const bytes of [0, 1, 30, 5_000, 100_000, text.length - 1, text.length, text.length * 2]) {
    writeFileSync(file, text);
    const cut = await cutEvents(file, bytes);
    const left = readFileSync(file, 'utf8');
    assert.equal(left, lines.slice(0, lines.length - cut).join(''), `${bytes} bytes`);
    assert.ok(text.length - left.length >= Math.min(bytes, text.length), `${bytes} bytes`);
  }
});
