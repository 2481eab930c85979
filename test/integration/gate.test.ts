// `spillway gate` where there is no Prometheus to ask, or something else answers.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

function gate(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['src/cli/main.ts', 'gate', ...args],
      { timeout: 60_000 },
      (error, out, errors) => resolve({ code: Number(error?.code ?? 0), out, errors }),
    );
  });
}

async function against(listener: RequestListener, ...args: string[]) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await gate('--prometheus', `http://127.0.0.1:${port}`, ...args);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('a server that is not there ends with 2 and one sentence', async () => {
  const { code, out, errors } = await gate('--prometheus', 'http://127.0.0.1:1');
  assert.deepEqual([code, out], [2, '']);
  assert.match(errors, /^spillway: No answer from Prometheus at http:\/\/127\.0\.0\.1:1: .*\.\n$/);
});

test('a server that is not Prometheus ends with 2', async () => {
  const { code, errors } = await against((_request, response) => response.end('<html>'));
  assert.equal(code, 2);
  assert.match(errors, /answers 200 and not as Prometheus does/);
});

test('a server that never answers ends with 2 at the deadline', async () => {
  const { code, errors } = await against(() => {}, '--timeout', '1s');
  assert.equal(code, 2);
  assert.match(errors, /none within 1 s/);
});

test('bad flags end with 2 and say what is allowed', async () => {
  for (const [flags, sentence] of [
    [['--prometheus', 'nowhere'], /"nowhere" is no URL of a Prometheus server/],
    [['--prometheus', 'http://x', '--max', '92'], /share above 0 and at most 1/],
    [['--prometheus', 'http://x', '--window', 'day'], /duration such as 24h/],
    [[], /--prometheus <url>/],
  ] as const) {
    const { code, errors } = await gate(...flags);
    assert.equal(code, 2, errors);
    assert.match(errors, sentence);
  }
});

test('the token goes in a header, not into messages', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-gate-'));
  const file = join(directory, 'token');
  writeFileSync(file, 'word-1\n');
  let seen: string | undefined;
  const { errors } = await against(
    (request, response) => {
      seen = request.headers.authorization;
      response.writeHead(403).end();
    },
    '--token-file',
    file,
  );
  rmSync(directory, { recursive: true });
  assert.equal(seen, 'Bearer word-1');
  assert.doesNotMatch(errors, /word-1/);
  assert.match(errors, /403 .*--token-file/);
});

test('a token file that holds something else is refused without repeating it', async () => {
  const { code, errors } = await gate('--prometheus', 'http://x', '--token-file', 'README.md');
  assert.equal(code, 2);
  assert.equal(
    errors,
    'spillway: README.md does not hold a token: it must be one word of printable ASCII.\n',
  );
});
