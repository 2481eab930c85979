// `spillway up` with https on the router, its engines, and engines elsewhere.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { UpProcess } from '../support/up-process.ts';

const run = promisify(execFile);
const fixture = (name: string) => join(import.meta.dirname, '..', 'support', 'tls', `${name}.pem`);
const pem = (name: string) => readFileSync(fixture(name), 'utf8');

const engineTls = `engineTls: { ca: ${fixture('ca-cert')}, serverName: engines.example, cert: ${fixture('client-cert')}, key: ${fixture('client-key')} }`;
/** Its certificate has a name that is not its address, and it asks for one. */
const engineArgs = JSON.stringify([
  ...['--ssl-certfile', fixture('other-name-cert'), '--ssl-keyfile', fixture('other-name-key')],
  ...['--ssl-ca-certs', fixture('ca-cert'), '--ssl-cert-reqs', '2'],
]);
const engines = `servingEngineSpec:
  modelSpec: [{ name: a, modelURL: Qwen/Qwen3-8B, replicaCount: 2, vllmConfig: { kvEvents: true, extraArgs: ${engineArgs} } }]`;
const listener = `cert: ${fixture('localhost-cert')}, key: ${fixture('localhost-key')}`;

async function start(t: TestContext, values: string, flags: readonly string[] = []) {
  const folder = await mkdtemp(join(tmpdir(), 'up-tls-'));
  const file = join(folder, 'values.yaml');
  await writeFile(file, values);
  const up = await UpProcess.start(['-f', file, ...flags]);
  t.after(async () => {
    await up.end('SIGKILL');
    await rm(folder, { recursive: true });
  });
  await up.ready();
  return up;
}

test('a stack serves https from the client to the engines, and the command that it prints works', async (t) => {
  const up = await start(t, `${engines}\nrouterSpec: { ${engineTls}, tls: { ${listener} } }`);
  assert.match(up.stdout, new RegExp(`^ready: https://127\\.0\\.0\\.1:${up.port}/v1$`, 'm'));
  // The lines after the first may come in a later read.
  await up.until(() => /^for await .*\n/m.test(up.stdout));
  assert.match(up.stdout, new RegExp(`^page:  https://127\\.0\\.0\\.1:${up.port}/$`, 'm'));
  const curl = up.stdout.split('\n').find((line) => line.startsWith('curl ')) ?? '';
  const answer = JSON.parse((await run('sh', ['-c', `${curl} --silent`])).stdout);
  assert.equal(answer.usage.completion_tokens, 32);
  const view = `curl --silent --cacert ${fixture('localhost-cert')} https://127.0.0.1:${up.port}/debug/router`;
  const { engines: seen } = JSON.parse((await run('sh', ['-c', view])).stdout) as {
    engines: { url: string; state: string }[];
  };
  assert.deepEqual(
    seen.map(({ url, state }) => [new URL(url).protocol, state]),
    [
      ['https:', 'live'],
      ['https:', 'live'],
    ],
  );
  // Its exit status is about all stacks of this machine.
  const program = join(import.meta.dirname, '../../src/cli/main.ts');
  const status = await run(process.execPath, [program, 'status']).catch((error) => error);
  assert.match(status.stdout, new RegExp(`✓ up, .*:${up.port}/v1: 2/2 engines live`));
  assert.equal(await up.end('SIGINT'), 0);
});

test('a router that asks for certificates has its views and page on a loopback port', async (t) => {
  const tls = `tls: { ${listener}, clientCa: ${fixture('ca-cert')} }`;
  const up = await start(t, `${engines}\nrouterSpec: { ${engineTls}, ${tls} }`);
  const page = /^page: {2}(http:\/\/127\.0\.0\.1:\d+)\/$/m.exec(up.stdout)?.[1] ?? '';
  assert.equal((await fetch(`${page}/debug/router`)).status, 200);
  const url = `https://127.0.0.1:${up.port}/v1/models`;
  const trusted = ['--silent', '--cacert', fixture('localhost-cert'), url];
  await assert.rejects(run('curl', trusted));
  const own = ['--cert', fixture('client-cert'), '--key', fixture('client-key')];
  assert.match((await run('curl', [...own, ...trusted])).stdout, /Qwen\/Qwen3-8B/);
});

test('an https engine elsewhere is asked for its model as the router would', async (t) => {
  const server = createServer(
    {
      ...{ cert: pem('other-name-cert'), key: pem('other-name-key'), ca: pem('ca-cert') },
      ...{ requestCert: true, rejectUnauthorized: true },
    },
    (_, response) => response.end('{"data":[{"id":"far"}]}'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const up = await start(t, `routerSpec: { ${engineTls} }`, [
    ...['--engine', `https://127.0.0.1:${port}`],
  ]);
  assert.match(up.stdout, /far at https:/);
});
