import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { tokenTables } from '../../core/tokenizer/index.ts';
import { openCacheEntry, tablesCacheFolder } from './tables-cache.ts';

const directory = await mkdtemp(join(tmpdir(), 'spillway-tables-'));
after(() => rm(directory, { recursive: true }));

/** GPT-2's byte alphabet and one merge; spaces make the file large enough to be cached. */
const json = JSON.stringify({
  pre_tokenizer: { type: 'ByteLevel' },
  model: {
    vocab: Object.fromEntries([...byteCharacters(), 'ab'].map((text, id) => [text, id])),
    merges: ['a b'],
  },
});
let files = 0;
const path = await fileOf(json);
const tables = tokenTables(JSON.parse(json));

test('cached tables are found by the content of the file, whatever its name', async () => {
  const cache = join(directory, 'found');
  const first = await openCacheEntry(path, cache);
  assert.equal(first?.tables, undefined);
  await first?.keep(tables);
  const copy = await fileOf(json);
  assert.deepEqual((await openCacheEntry(copy, cache))?.tables, tables);
  const other = await fileOf(json.replace('["a b"]', '[]'));
  assert.equal((await openCacheEntry(other, cache))?.tables, undefined);
});

test('a damaged or truncated cache file is not used, and the next tables replace it', async () => {
  const cache = join(directory, 'damaged');
  await keep(path, cache);
  const [name = ''] = await readdir(cache);
  const whole = await readFile(join(cache, name));
  const damaged = Buffer.from(whole);
  damaged[whole.length >> 1] = (damaged[whole.length >> 1] as number) ^ 1;
  for (const bytes of [damaged, whole.subarray(0, -8), Buffer.alloc(0)]) {
    await writeFile(join(cache, name), bytes);
    assert.equal((await openCacheEntry(path, cache))?.tables, undefined);
  }
  await keep(path, cache);
  assert.deepEqual((await openCacheEntry(path, cache))?.tables, tables);
  assert.equal((await readdir(cache)).length, 1);
});

test('a cache that cannot be written causes no error', async () => {
  const cache = join(path, 'below a file');
  const entry = await openCacheEntry(path, cache);
  assert.equal(entry?.tables, undefined);
  await entry?.keep(tables);
});

test('the least recently read of more than eight tokenizers is evicted', async () => {
  const cache = join(directory, 'bounded');
  const kept: string[] = [];
  for (let i = 0; i < 8; i++) {
    await keep(await fileOf(`${json}${' '.repeat(i + 1)}`), cache);
    const name = (await readdir(cache)).find((one) => !kept.includes(one)) ?? '';
    kept.push(name);
    await utimes(join(cache, name), 1e9 + i, 1e9 + i);
  }
  await keep(path, cache);
  const names = await readdir(cache);
  assert.equal(names.length, 8);
  assert.equal(names.includes(kept[0] ?? ''), false);
});

test('small files are not cached, and an empty SPILLWAY_CACHE_DIR turns caching off', async () => {
  const small = join(directory, 'small.json');
  await writeFile(small, json);
  assert.equal(await openCacheEntry(small, directory), undefined);
  assert.equal(tablesCacheFolder({ SPILLWAY_CACHE_DIR: '' }), undefined);
  assert.equal(tablesCacheFolder({ SPILLWAY_CACHE_DIR: '/c' }), join('/c', 'tokenizers'));
});

async function keep(file: string, cache: string): Promise<void> {
  await (await openCacheEntry(file, cache))?.keep(tables);
}

async function fileOf(text: string): Promise<string> {
  const file = join(directory, `tokenizer-${files++}.json`);
  await writeFile(file, text + ' '.repeat(1_000_000));
  return file;
}

function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(isPrintable ? byte : next++);
  });
}
