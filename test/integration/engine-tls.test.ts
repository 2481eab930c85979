// An engine with vLLM's --ssl-* flags.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { createEngineServer, resolveEngine } from '../../src/apps/engine/index.ts';
import { eventually } from '../support/fleet.ts';

const fixture = (name: string) => join(import.meta.dirname, '..', 'support', 'tls', `${name}.pem`);
const pem = (name: string) => readFileSync(fixture(name), 'utf8');
const launcher = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');
const pair = ['--ssl-certfile', fixture('server-cert'), '--ssl-keyfile', fixture('server-key')];

/** Starts `spillway engine`; resolves to its ready line, or to what it printed if it ends. */
async function engine(t: TestContext, flags: readonly string[]): Promise<string> {
  const args = ['engine', 'Qwen/Qwen3-8B', '--port', '0', ...flags];
  const child: ChildProcess = spawn(process.execPath, [launcher, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let printed = '';
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  return new Promise((resolve) => {
    child.once('close', () => resolve(printed));
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).once('line', resolve);
  });
}

const urlOf = (line: string) => /ready: (\S+)\/v1/.exec(line)?.[1] ?? assert.fail(line);

/** Status of /health and the subject of the server's certificate. */
function ask(url: string, options: object = {}): Promise<{ status: number; serial: string }> {
  return new Promise((resolve, reject) => {
    const all = { ca: pem('ca-cert'), agent: false, ...options };
    const call = request(`${url}/health`, all, (response) => {
      const { serialNumber } = (
        response.socket as import('node:tls').TLSSocket
      ).getPeerCertificate();
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, serial: serialNumber }));
    });
    call.on('error', reject).end();
  });
}

const client = { cert: pem('client-cert'), key: pem('client-key') };
const stranger = { cert: pem('stranger-cert'), key: pem('stranger-key') };

test('an engine with a certificate serves https, and says so', async (t) => {
  const url = urlOf(await engine(t, pair));
  assert.match(url, /^https:/);
  assert.equal((await ask(url)).status, 200);
  await assert.rejects(fetch(url.replace('https', 'http')));
});

test('a client without a certificate is refused where one is required', async (t) => {
  const flags = [...pair, '--ssl-ca-certs', fixture('ca-cert'), '--ssl-cert-reqs', '2'];
  const url = urlOf(await engine(t, flags));
  await assert.rejects(ask(url));
  await assert.rejects(ask(url, stranger));
  assert.equal((await ask(url, client)).status, 200);
});

test('where a certificate is optional, a client may have none, but not a wrong one', async (t) => {
  const flags = [...pair, '--ssl-ca-certs', fixture('ca-cert'), '--ssl-cert-reqs', '1'];
  const url = urlOf(await engine(t, flags));
  assert.equal((await ask(url)).status, 200);
  assert.equal((await ask(url, client)).status, 200);
  await assert.rejects(ask(url, stranger));
});

test('a key without a certificate, and a pair that does not fit, are refused in one sentence', async (t) => {
  assert.match(
    await engine(t, ['--ssl-keyfile', fixture('server-key')]),
    /--ssl-keyfile needs --ssl-certfile\./,
  );
  const mixed = ['--ssl-certfile', fixture('server-cert'), '--ssl-keyfile', fixture('client-key')];
  assert.match(await engine(t, mixed), /does not belong to the certificate/);
});

test('with --enable-ssl-refresh a renewed certificate is used for new connections', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'engine-tls-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), ca: undefined };
  const install = (name: string) => {
    for (const part of ['key', 'cert'] as const) {
      copyFileSync(fixture(`${name}-${part}`), join(folder, 'next'));
      renameSync(join(folder, 'next'), files[part]);
    }
  };
  install('server');
  const { notes: _, ...resolved } = await resolveEngine({
    model: 'Qwen/Qwen3-8B',
    gpu: 'H100-80GB',
  });
  const server = await createEngineServer({
    ...resolved,
    port: 0,
    tls: { files, clientCertificates: 'ignored', isFollowed: true, pollMs: 5 },
  });
  t.after(() => server.close());
  const before = (await ask(server.url)).serial;
  install('server-next');
  await eventually(async () => (await ask(server.url)).serial !== before, 'the new one is used');
});
