// Ctrl-C while Helm runs: Helm ends with the command, and a line says what it has left and how to go on.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { until } from '../support/until.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const folder = mkdtempSync(join(tmpdir(), 'spillway-interrupted-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const isWindows = process.platform === 'win32' && 'programs are not started by their first line';

/** A Helm that says when it installs and when it ends; told to stop, it takes a while, or does not listen. */
const helm = (listens: boolean) => `#!${process.execPath}
const { writeFileSync } = require('node:fs');
const args = process.argv.slice(2);
if (args[0] === 'version') { process.stdout.write('v3.19.0'); process.exit(0); }
if (args.includes('--dry-run=server')) { process.stdout.write('{"manifest":""}'); process.exit(0); }
for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => {
  if (${listens}) setTimeout(() => { writeFileSync(${JSON.stringify(join(folder, 'ended'))}, name); process.exit(1); }, 300);
});
writeFileSync(${JSON.stringify(join(folder, 'pid'))}, String(process.pid));
setInterval(() => {}, 1e6);
`;

function secretOf(revision: number, status: string): object {
  const record = { name: 'vllm', namespace: 'default', version: revision, info: { status } };
  const packed = gzipSync(JSON.stringify({ ...record, manifest: '', chart: { metadata: {} } }));
  const release = Buffer.from(packed.toString('base64')).toString('base64');
  return { metadata: { name: `v${revision}` }, data: { release } };
}

/** Starts a deployment whose Helm hangs in its upgrade; what it leaves is `statuses`, oldest revision first. */
async function deploying(t: TestContext, statuses: readonly string[], listens = true) {
  for (const name of ['pid', 'ended']) rmSync(join(folder, name), { force: true });
  const pid = () => Number(readFileSync(join(folder, 'pid'), 'utf8'));
  const server = createServer((request, response) => {
    const path = request.url?.replace(/\?.*/, '');
    const secrets = statuses.map((status, i) => secretOf(i + 1, status));
    const bodies: Record<string, object> = {
      '/version': { gitVersion: 'v1.36.3' },
      '/api/v1/namespaces/default': { metadata: { name: 'default' } },
      '/api/v1/namespaces/default/secrets': { items: secrets, metadata: {} },
    };
    const body = bodies[path ?? ''];
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? { kind: 'Status', code: 404 }));
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const file = (name: string, text: string, mode = 0o600) => {
    writeFileSync(join(folder, name), text, { mode });
    return join(folder, name);
  };
  const cluster = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  const kubeconfig = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'here', users: [] },
    clusters: [{ name: 'c', cluster }],
    contexts: [{ name: 'here', context: { cluster: 'c', namespace: 'default' } }],
  };
  const values =
    'servingEngineSpec: {modelSpec: [{name: q, kind: embedded, modelURL: Qwen/Qwen3-8B}]}\n';
  const child = spawn(
    process.execPath,
    [
      ...[main, 'deploy', '-f', file('values.yaml', values)],
      ...['--helm', file(`helm-${listens}`, helm(listens), 0o700)],
    ],
    { env: { ...process.env, KUBECONFIG: file('config', JSON.stringify(kubeconfig)) } },
  );
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
  }
  const closed = once(child, 'close');
  await Promise.race([until(() => existsSync(join(folder, 'pid'))), closed]);
  assert.ok(existsSync(join(folder, 'pid')), out);
  return { child, closed, out: () => out, helmPid: pid() };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('Ctrl-C during an upgrade waits for Helm, and says how to go on or back', {
  skip: isWindows,
}, async (t) => {
  const { child, closed, out, helmPid } = await deploying(t, ['superseded', 'deployed', 'failed']);
  child.kill('SIGINT');
  assert.deepEqual(await closed, [130, null], out());
  assert.equal(readFileSync(join(folder, 'ended'), 'utf8'), 'SIGTERM');
  assert.ok(!isRunning(helmPid));
  assert.match(out(), /^helm 3\.19\.0: upgrades vllm$/m);
  assert.match(
    out(),
    /^interrupted: release vllm is failed \(revision 3\)\. The same "spillway deploy" goes on, with --rollback it undoes what does not serve; "helm rollback vllm 2 -n default" goes back to revision 2\.$/m,
  );
});

test('a second Ctrl-C kills a Helm that does not end, and leaves nothing running', {
  skip: isWindows,
}, async (t) => {
  const { child, closed, out, helmPid } = await deploying(t, ['pending-install'], false);
  child.kill('SIGINT');
  // Within half a second it would count as the same one.
  await new Promise((resolve) => setTimeout(resolve, 800));
  child.kill('SIGINT');
  assert.deepEqual(await closed, [130, null], out());
  await until(() => !isRunning(helmPid));
});
