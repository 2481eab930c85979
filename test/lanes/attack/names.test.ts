// Engines by host names whose name servers are silent, fail, change their minds, or return very many addresses. The system's resolver is
// the real one: the router has an /etc/resolv.conf of its own, which needs root; without it, these tests are skipped.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBystander, startTarget, until } from './target.ts';

/** A name server has no port in /etc/resolv.conf. */
const serverAddress = '127.0.0.53';
const hasNamespaces = spawnSync('unshare', ['-m', 'true']).status === 0;
const skip = hasNamespaces ? false : 'mount namespaces need root';
/** More names than the system's resolver takes questions at a time. */
const silentNames = Array.from({ length: 8 }, (_, i) => `http://silent${i}.test:8000`);

/** Addresses of a name; undefined for no answer at all. */
type Zone = (name: string) => readonly string[] | undefined;

async function startNameServer(t: TestContext) {
  const server = createSocket('udp4');
  const dns: { zone: Zone } = { zone: () => [] };
  server.on('message', (query, { port, address }) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at]; length; length = query[at]) {
      labels.push(query.toString('latin1', at + 1, at + 1 + length));
      at += length + 1;
    }
    const isOfAddress = query.readUInt16BE(at + 1) === 1;
    const found = dns.zone(labels.join('.'));
    if (found === undefined) return;
    const addresses = isOfAddress ? found : [];
    const head = Buffer.from([...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
    head.writeUInt16BE(addresses.length, 6);
    const records = addresses.map((one) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...one.split('.').map(Number)]),
    );
    server.send(Buffer.concat([head, query.subarray(12, at + 5), ...records]), port, address);
  });
  server.bind(53, serverAddress);
  await once(server, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'spillway-attack-'));
  const file = join(folder, 'resolv.conf');
  writeFileSync(file, `nameserver ${serverAddress}\n`);
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  const mount = `mount --bind ${file} /etc/resolv.conf && exec "$0" "$@"`;
  return { dns, through: ['unshare', '-m', 'sh', '-c', mount] };
}

test('engines whose names are never resolved hold up no engine whose name is', {
  skip,
}, async (t) => {
  const { dns, through } = await startNameServer(t);
  let isSilent = false;
  dns.zone = (name) => (name === 'engine.test' && !isSilent ? ['127.0.0.1'] : undefined);
  const { engine } = await startTarget(t);
  const router = await startTarget(t, [], [...silentNames, `http://engine.test:${engine.port}`], {
    through,
  });
  const bystander = startBystander(router);
  await sleep(3_000);
  isSilent = true;
  // A connection to the engine needs its name again.
  for (const socket of engine.sockets) socket.destroy();
  await sleep(3_000);
  const { failures, served, longestMs } = await bystander.stop();
  assert.deepEqual(failures, []);
  assert.ok(served > 20, `${served} served`);
  assert.ok(longestMs < 5_000, `${longestMs} ms`);
});

test('a name with ninety addresses, one that changes, and one that fails', {
  skip,
}, async (t) => {
  const { dns, through } = await startNameServer(t);
  // As many as a response by UDP has; no engine is at any of them.
  const many = Array.from({ length: 90 }, (_, at) => `127.1.0.${at + 1}`);
  let moving: readonly string[] | undefined = ['127.0.0.1'];
  dns.zone = (name) => (name === 'many.test' ? many : name === 'moving.test' ? moving : []);
  const { engine } = await startTarget(t);
  const urls = [`http://many.test:${engine.port}`, `http://moving.test:${engine.port}`];
  const router = await startTarget(t, [], [...urls, 'http://none.test:8000'], { through });
  const bystander = startBystander(router);
  await sleep(1_000);
  moving = undefined;
  for (const socket of engine.sockets) socket.destroy();
  await sleep(2_000);
  moving = ['127.0.0.1', '127.0.0.2'];
  await sleep(1_000);
  const { failures, served, longestMs } = await bystander.stop();
  assert.deepEqual(failures, []);
  assert.ok(served > 20, `${served} served`);
  assert.ok(longestMs < 6_000, `${longestMs} ms`);
  await until(async () => (await fetch(`${router.adminUrl}/health`)).status === 200);
});
