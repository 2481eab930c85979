// `spillway cache check` as a user runs it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { RequestReader } from '../../src/core/resp/index.ts';
import { testCache } from '../support/cache.ts';

const main = join(import.meta.dirname, '../../src/cli/main.ts');

test('every byte comes back over both protocols', async (t) => {
  const { urls } = await testCache(t);
  for (const url of urls) {
    const { status, stdout } = await check(url);
    assert.equal(status, 0, stdout);
    assert.match(stdout, /ok: all 6 values came back byte for byte/);
  }
});

test('a server without room for all values does not pass', async (t) => {
  const { urls } = await testCache(t, { memoryBytes: 4 << 16 });
  const { status, stdout } = await check(urls[0] ?? '');
  assert.equal(status, 1);
  assert.match(stdout, /failed: \d+ of 12 lookups and loads missed .* less memory than 1 MiB/);
});

test('a server that returns other bytes, and values that nobody stored, does not pass', async (t) => {
  const { status, stdout } = await check(await lyingServer(t), '--json');
  assert.equal(status, 1);
  const { values, missing, wrong, invented } = JSON.parse(stdout) as Record<string, number>;
  assert.deepEqual([values, missing, wrong, invented], [6, 0, 6, 2]);
});

test('a server that is gone has a status of its own', async () => {
  const { status, stderr } = await check('redis://127.0.0.1:1');
  assert.equal(status, 4);
  assert.match(stderr, /^spillway: The cache server at 127.0.0.1:1: ECONNREFUSED.\n$/);
});

async function check(url: string, ...more: readonly string[]) {
  const size = ['--size', '100000', '--count', '3', '--clients', '2'];
  const child = execFile(process.execPath, [main, 'cache', 'check', url, ...size, ...more]);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (text) => {
    stdout += text;
  });
  child.stderr?.on('data', (text) => {
    stderr += text;
  });
  const [status] = await once(child, 'close');
  return { status: status as number, stdout, stderr };
}

/** Says that it has everything, and returns zeros. */
async function lyingServer(t: TestContext): Promise<string> {
  const server = createServer((socket) => {
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    const reply = ([name]: readonly string[]) => {
      if (name === 'EXISTS') socket.write(':1\r\n');
      else if (name === 'GET') socket.write(`$100000\r\n${'\0'.repeat(100_000)}\r\n`);
      else socket.write('+OK\r\n');
    };
    const reader = new RequestReader({
      command: reply,
      streamed: () => ({ write: () => {}, end: reply }),
    });
    socket.on('data', (bytes: Buffer) => reader.push(bytes));
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
