// `spillway up` with a cache server that its engines share, beside a simulation of the same file.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { UpProcess } from '../support/up-process.ts';

const run = promisify(execFile);
const main = join(import.meta.dirname, '../../src/cli/main.ts');

/** Engines whose KV cache keeps three of the eight documents. */
const valuesOf = (lmcache: string, cacheserver: string) => `
servingEngineSpec:
  modelSpec:
    - name: m
      modelURL: Qwen/Qwen3-8B
      replicaCount: 2
      timeScale: 10
      vllmConfig: {enablePrefixCaching: true, maxModelLen: 8192, numGpuBlocksOverride: 514}
      lmcacheConfig: {enabled: true${lmcache}}
cacheserverSpec: ${cacheserver}
routerSpec: {routingLogic: roundrobin}
`;

/** Questions about eight documents of 2,048 tokens, one every 400 ms; an engine gets two about the same one in a row. */
const trace = Array.from({ length: 120 }, (_, i) => {
  const document = (3 * Math.floor(i / 4) + (i % 2)) % 8;
  const hash_ids = [0, 1, 2, 3].map((block) => 10 * document + block).concat(1000 + i);
  return { timestamp: 400 * i, input_length: 2248, output_length: 4, hash_ids };
});

const spillway = (args: readonly string[]) => run(process.execPath, [main, ...args]);

test('engines share KV cache through the server, with the hit rates of a simulation of the file', async (context) => {
  const { up, sum } = await expectAgreement(
    context,
    valuesOf('', '{enabled: true, capacityGB: 4}'),
  );
  assert.equal(sum('spillway_lmcache_wrong_chunks_total'), 0);
  assert.equal(sum('lmcache:get_blocking_failed_count_total'), 0);
  assert.ok(sum('lmcache:num_remote_read_bytes_total') > 50e6);

  const ready = up.events.find(({ event }) => event === 'ready');
  const { stdout } = await spillway(['cache', 'check', String(ready?.cache), '--size', '64KiB']);
  assert.match(stdout, /ok: all 16 values came back byte for byte/);
  assert.equal(await up.end('SIGINT'), 0);
});

test('engines read each other’s host memory, with the hit rates of a simulation of the file', async (context) => {
  // Each keeps about half of the documents.
  const peers = ', cpuOffloadingBufferSize: "1.3", enableController: true, enableP2P: true';
  const { up, sum } = await expectAgreement(context, valuesOf(peers, '{enabled: false}'));
  assert.equal(sum('spillway_lmcache_wrong_chunks_total'), 0);
  // A chunk may be evicted between the controller's reply and the request.
  const failed = sum('spillway_lmcache_peer_failed_chunks_total');
  const read = sum('spillway_lmcache_peer_read_chunks_total');
  assert.ok(failed <= 0.1 * read, `${failed} of ${read + failed} chunks did not come`);
  assert.ok(sum('spillway_lmcache_peer_read_bytes_total') > 20e6);
  assert.ok(sum('lmcache:p2p_time_to_transfer_count') > 10);
  assert.equal(await up.end('SIGINT'), 0);
});

test('two cache servers keep two copies, so that one may be lost', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'up-cache-'));
  context.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'values.yaml');
  await writeFile(file, valuesOf('', '{enabled: true, replicaCount: 2}'));
  const up = await UpProcess.start(['-f', file, '--json', '--no-dashboard']);
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  const urls = [
    ...new Set(up.events.filter(({ kind }) => kind === 'embedded').map(({ url }) => url)),
  ];
  const pages = () => Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
  const valueOn = (page: string, name: string) =>
    Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(page)?.[1]);
  const ask = async () => {
    const response = await fetch(`${up.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...{ model: 'Qwen/Qwen3-8B', max_tokens: 1 },
        prompt: Array.from({ length: 2048 }, (_, i) => 1000 + i),
      }),
    });
    assert.equal(response.status, 200, await response.text());
  };
  await ask();
  const queries = (page: string) => valueOn(page, 'vllm:prefix_cache_queries_total');
  const first = (await pages()).findIndex((page) => queries(page) > 0);
  // The server of the engine that answered passes its values on in the background.
  await sleep(2000);
  const lost = up.pids.get(`cache-${first + 1}`);
  assert.ok(lost !== undefined, JSON.stringify([...up.pids]));
  process.kill(lost, 'SIGKILL');
  await ask();
  const other = (await pages())[1 - first] ?? '';
  assert.ok(valueOn(other, 'vllm:external_prefix_cache_hits_total') >= 1024, other);
  assert.equal(await up.end('SIGINT'), 0);
});

/** Replays the trace on the stack of a file, live and in a simulation. @returns The stack, and sums over its engines' pages. */
async function expectAgreement(context: TestContext, values: string) {
  const folder = await mkdtemp(join(tmpdir(), 'up-cache-'));
  context.after(() => rm(folder, { recursive: true }));
  const [file, requests] = [join(folder, 'values.yaml'), join(folder, 'trace.jsonl')];
  await writeFile(file, values);
  await writeFile(requests, trace.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const up = await UpProcess.start(['-f', file, '--json', '--no-dashboard']);
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  // One after the other: what the machine has to do besides changes when engines respond.
  const simulated = await spillway(['simulate', '-f', file, '--trace', requests, '--json']);
  const live = await spillway([
    ...['bench', 'replay', '--url', `${up.url}/v1`, '--api', 'tokens', '--trace', requests],
    ...['--time-scale', '10', '--json'],
  ]);
  const completed = (JSON.parse(live.stdout) as { completed: number }).completed;
  assert.equal(completed, trace.length, live.stderr);

  const urls = new Set(up.events.filter(({ kind }) => kind === 'embedded').map(({ url }) => url));
  const pages = await Promise.all(
    [...urls].map(async (url) => (await fetch(`${url}/metrics`)).text()),
  );
  const sum = (name: string) =>
    pages.reduce((total, page) => {
      const [, value] = new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(page) ?? [];
      return total + Number(value);
    }, 0);
  const queries = sum('vllm:prefix_cache_queries_total');
  const rates = {
    hbm: sum('vllm:prefix_cache_hits_total') / queries,
    external: sum('vllm:external_prefix_cache_hits_total') / queries,
  };
  const expected = JSON.parse(simulated.stdout) as Record<string, number>;
  const { hbm_hit_rate: hbm = 0, external_hit_rate: external = 0 } = expected;
  assert.ok(external > 0.3 && hbm > 0.1, `the file uses both: ${hbm}, ${external}`);
  const words = JSON.stringify({ live: rates, simulated: { hbm, external } });
  assert.ok(Math.abs(rates.external - external) <= 0.02, words);
  assert.ok(Math.abs(rates.hbm - hbm) <= 0.02, words);
  return { up, sum };
}
