// The cache server on a Unix socket.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { testCache } from '../support/cache.ts';

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-unix-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function says(path: string, line: string): Promise<string> {
  const socket = connect(path);
  socket.write(line);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return reply.toString();
}

test('a client of the Unix socket sees the same values; only this user may connect', async (t) => {
  const path = join(folderFor(t), 'cache.sock');
  const server = await testCache(t, { unixSocket: path });
  assert.ok(server.urls.includes(`unix://${path}`));
  assert.equal(await says(path, 'SET a 1\r\n'), '+OK\r\n');
  assert.equal(server.store.size('a'), 1);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await server.close();
  assert.equal(existsSync(path), false);
});

test('a path in use is refused, and what a killed server left is not in the way', async (t) => {
  const folder = folderFor(t);
  const path = join(folder, 'cache.sock');
  const other = createServer().listen(path);
  await once(other, 'listening');
  await assert.rejects(testCache(t, { unixSocket: path }), /another server listens there/);
  other.close();
  await once(other, 'close');
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await assert.rejects(testCache(t, { unixSocket: file }), /cannot be used \(EADDRINUSE\)/);
  await testCache(t, { unixSocket: path });
  assert.equal(await says(path, 'PING\r\n'), '+PONG\r\n');
});
