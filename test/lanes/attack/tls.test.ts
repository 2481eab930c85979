// Many TLS connections of every slow kind at once: established and idle, half open, in fragments, a byte per second, renegotiating.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { startBystander, startTarget } from './target.ts';

/** Connections of each of the five kinds. The attack was run with 1,900, for which `ulimit -n` has to be above 10,000. */
const each = Number(process.env['ATTACK_TLS_CONNECTIONS'] ?? 300);
/** Memory of a connection; 35 KiB were seen with 1,500 of them, and 18 with 9,500. */
const kibEachMax = 128;
const pem = (name: string) =>
  join(import.meta.dirname, '..', '..', 'support', 'tls', `${name}.pem`);

async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = connectTls({ port, host: '127.0.0.1', servername: 'localhost' });
  client.on('error', () => {});
  const [accepted] = (await once(server, 'connection')) as [Socket];
  const [hello] = (await once(accepted, 'data')) as [Buffer];
  client.destroy();
  accepted.destroy();
  server.close();
  return hello;
}

test(`${5 * each} TLS connections: idle, half open, in fragments, by single bytes, renegotiating`, async (t) => {
  const ca = readFileSync(pem('ca-cert'), 'utf8');
  const flags = ['--tls-cert', pem('server-cert'), '--tls-key', pem('server-key')];
  const target = await startTarget(t, flags);
  const hello = await clientHello();
  const before = await target.measure();
  const established: TLSSocket[] = [];
  const open = (maxVersion: 'TLSv1.2' | 'TLSv1.3') =>
    new Promise<TLSSocket>((resolve, reject) => {
      const socket = connectTls({
        port: target.port,
        host: '127.0.0.1',
        ca,
        servername: 'localhost',
        maxVersion,
      });
      socket
        .on('error', reject)
        .once('secureConnect', () =>
          resolve(socket.removeAllListeners('error').on('error', () => {})),
        );
      established.push(socket);
    });
  t.after(() => {
    for (const socket of established) socket.destroy();
  });
  for (let i = 0; i < each; i += 25) {
    await Promise.all(Array.from({ length: 25 }, () => open('TLSv1.3')));
  }
  const renegotiating: TLSSocket[] = [];
  for (let i = 0; i < each; i += 25) {
    renegotiating.push(...(await Promise.all(Array.from({ length: 25 }, () => open('TLSv1.2')))));
  }
  const bystander = startBystander(target, { ca });
  const slow = Array.from({ length: 3 * each }, () => target.attack());
  slow.forEach((socket, i) => {
    if (i % 3 === 0) socket.write(hello);
    else if (i % 3 === 1) socket.write(hello.subarray(0, hello.length >> 1));
  });
  let renegotiated = 0;
  for (const socket of renegotiating) {
    socket.renegotiate({}, (error) => {
      if (error === null) renegotiated++;
    });
  }
  for (let second = 0; second < 4; second++) {
    for (const socket of slow) if (!socket.destroyed) socket.write(Buffer.from([0x16]));
    for (const socket of established) if (!socket.destroyed) socket.write('G');
    await sleep(1_000);
  }
  const { failures, served, longestMs } = await bystander.stop();
  assert.deepEqual(failures, []);
  assert.ok(served > 0);
  const after = await target.measure();
  const growth = after.peakRssMiB - before.rssMiB;
  t.diagnostic(
    `${growth.toFixed(0)} MiB, ${after.longestPauseMs.toFixed(0)} ms, slowest ${longestMs.toFixed(0)} ms, ${renegotiated} renegotiated`,
  );
  assert.equal(renegotiated, 0, 'no renegotiation');
  assert.ok(growth < 64 + (5 * each * kibEachMax) / 1024, `${growth} MiB`);
  assert.ok(after.longestPauseMs < 250, `${after.longestPauseMs} ms`);
});
