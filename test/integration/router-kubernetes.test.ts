// `spillway router --service-discovery k8s` as a process, with a kubeconfig, an API server and an engine that is a pod.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ScriptedApiServer } from '../support/scripted-api-server.ts';
import {
  chunk,
  eventStreamHead,
  type ReceivedRequest,
  startScriptedEngine,
} from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const main = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');
const tls = join(import.meta.dirname, '..', 'support', 'tls');

test('a router finds pods by a kubeconfig; one that terminates gets no request and ends its streams', async (t) => {
  const streams: ReceivedRequest[] = [];
  const engine = await startScriptedEngine({
    onRequest: (request) => {
      streams.push(request);
      request.socket.write(`${eventStreamHead}${chunk('data: one\n\n')}`);
    },
  });
  t.after(() => engine.close());
  const { api, kubeconfig } = await cluster(t);
  api.putPod('engine-a', { ip: '127.0.0.1', namespace: 'models' });
  const router = start(t, kubeconfig, [
    ...['--service-discovery', 'k8s', '--k8s-namespace', 'models', '--k8s-port', `${engine.port}`],
  ]);
  const [, url = ''] = await router.says(/router: (http:\S+)/);
  await router.says(/engine engine-a \(http:\/\/127\.0\.0\.1:\d+\) is live/);
  const ask = () =>
    fetch(`${url}/v1/completions`, { method: 'POST', body: '{"model":"m","stream":true}' });
  const stream = await ask();
  assert.equal(stream.headers.get('x-spillway-engine-name'), 'engine-a');
  api.putPod('engine-a', { ip: '127.0.0.1', namespace: 'models', isTerminating: true });
  await until(async () => (await ask()).status === 503);
  const asked = streams.length;
  assert.equal((await ask()).status, 503);
  assert.equal(streams.length, asked);
  for (const { socket } of streams) socket.write(`${chunk('data: [DONE]\n\n')}0\r\n\r\n`);
  assert.equal(await stream.text(), 'data: one\n\ndata: [DONE]\n\n');
  await router.says(/engine engine-a \(\S+\) removed/);
});

test('without a cluster, a router says where it looked, and ends with status 2', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-cluster-'));
  t.after(() => rm(folder, { recursive: true }));
  const router = start(t, '', ['--service-discovery', 'k8s'], folder);
  await router.says(
    /There is no cluster: this program does not run in a pod .* nor ~\/\.kube\/config/,
  );
  assert.equal(await router.exitStatus, 2);
});

test('without an API server, a router starts all the same, and says what is wrong', async (t) => {
  const { api, kubeconfig } = await cluster(t);
  await api.close();
  const router = start(t, kubeconfig, ['--service-discovery', 'k8s']);
  await router.says(/ECONNREFUSED/);
  await router.says(/router: http:/);
});

test('flags of other sources and those of Kubernetes exclude each other', async (t) => {
  const router = start(t, '', ['--static-backends', 'http://a', '--k8s-namespace', 'models']);
  await router.says(/--static-backends and --k8s-namespace exclude each other: give one of them\./);
  assert.equal(await router.exitStatus, 2);
});

async function cluster(t: TestContext) {
  const read = (name: string) => readFile(join(tls, name), 'utf8');
  const [cert, key] = [await read('server-cert.pem'), await read('server-key.pem')];
  const api = await new ScriptedApiServer({ cert, key, token: 'secret' }).start();
  const folder = await mkdtemp(join(tmpdir(), 'spillway-cluster-'));
  t.after(async () => {
    await api.close();
    await rm(folder, { recursive: true });
  });
  const kubeconfig = join(folder, 'config');
  const named = { name: 'test' };
  await writeFile(
    kubeconfig,
    JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
      clusters: [
        {
          ...named,
          cluster: { server: api.url, 'certificate-authority': join(tls, 'ca-cert.pem') },
        },
      ],
      users: [{ ...named, user: { token: 'secret' } }],
      contexts: [{ ...named, context: { cluster: 'test', user: 'test' } }],
    }),
  );
  return { api, kubeconfig };
}

function start(t: TestContext, kubeconfig: string, flags: readonly string[], home?: string) {
  const { KUBERNETES_SERVICE_HOST: _, ...environment } = process.env;
  const router = spawn(
    process.execPath,
    [main, 'router', '--port', '0', '--log-level', 'info', ...flags],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environment, KUBECONFIG: kubeconfig, ...(home !== undefined && { HOME: home }) },
    },
  );
  t.after(() => router.kill('SIGKILL'));
  let output = '';
  for (const stream of [router.stdout, router.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const exitStatus = new Promise((resolve) => router.on('close', resolve));
  const says = async (pattern: RegExp) => {
    await until(() => pattern.test(output) || router.exitCode !== null);
    if (!pattern.test(output)) await exitStatus;
    const found = pattern.exec(output);
    assert.ok(found, output);
    return found;
  };
  return { says, exitStatus };
}
