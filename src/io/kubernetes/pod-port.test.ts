// Connections to ports of pods, against a scripted API server.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { KubeConfig } from '@kubernetes/client-node';
import { scriptedPod } from '../../../test/support/scripted-pod-port.ts';
import { until } from '../../../test/support/until.ts';
import { openPodPort } from './pod-port.ts';

const never = new AbortController().signal;

async function setUp(t: TestContext) {
  const pod = await scriptedPod(t);
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: 'c', server: pod.url, skipTLSVerify: true }],
    users: [{ name: 'u' }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x',
  });
  const open = (signal = never) =>
    openPodPort(config, { namespace: 'llm', pod: 'router-1', port: 8000 }, signal);
  return { pod, open };
}

test('bytes pass in both directions, without the numbers of the protocol', async (t) => {
  const { pod, open } = await setUp(t);
  const stream = await open();
  t.after(() => stream.destroy());
  assert.deepEqual(pod.paths, ['/api/v1/namespaces/llm/pods/router-1/portforward?ports=8000']);
  const request = Buffer.alloc(200_000, 'ab');
  stream.write(request);
  await until(() => pod.received.length === request.length);
  assert.deepEqual(pod.received, request);
  pod.send(0, 'HTTP/1.1 200 OK');
  const [chunk] = await once(stream, 'data');
  assert.equal(String(chunk), 'HTTP/1.1 200 OK');
});

test('the end of the pod’s connection ends the stream', async (t) => {
  const { pod, open } = await setUp(t);
  const stream = await open();
  pod.send(0, 'bye');
  pod.end();
  let text = '';
  for await (const chunk of stream) text += chunk;
  assert.equal(text, 'bye');
});

test('an error of the node is the error of the stream', async (t) => {
  const { pod, open } = await setUp(t);
  const stream = await open();
  stream.resume();
  const failed = once(stream, 'error');
  pod.send(1, 'dial tcp4 127.0.0.1:8000: connect: connection refused');
  pod.end();
  const [error] = await failed;
  assert.match(error.message, /connection refused/);
});

test('a reader that pauses holds back the pod', async (t) => {
  const { pod, open } = await setUp(t);
  const stream = await open();
  t.after(() => stream.destroy());
  const piece = Buffer.alloc(1 << 20);
  for (let index = 0; index < 64; index++) pod.send(0, piece);
  await until(() => stream.readableLength > 0);
  // Longer than loopback needs for all of it.
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(stream.readableLength <= 4 << 20, `${stream.readableLength} bytes are held`);
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await until(() => bytes === 64 << 20);
});

test('a refusal is told in a few words', async (t) => {
  const { pod, open } = await setUp(t);
  pod.refusal = 403;
  await assert.rejects(open(), /^Error: this user may not create pods\/portforward$/);
  pod.refusal = 404;
  await assert.rejects(open(), /^Error: the pod is gone$/);
});

test('an API server that does not respond is not waited for once the signal is aborted', async (t) => {
  const { pod, open } = await setUp(t);
  pod.isSilent = true;
  const stop = new AbortController();
  const opened = open(stop.signal);
  await until(() => pod.paths.length === 1);
  stop.abort(new Error('stopped'));
  await assert.rejects(opened, /^Error: stopped$/);
});
