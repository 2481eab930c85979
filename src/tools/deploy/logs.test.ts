// Logs of a stack, from a scripted API server.
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { until } from '../../../test/support/until.ts';
import { Cluster } from './cluster.ts';
import { type LogLine, readStackLogs } from './logs.ts';
import type { Manifest } from './manifests.ts';

function workload(name: string, component: string, model?: string): Manifest {
  return {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment' },
    metadata: {
      name,
      labels: { 'app.kubernetes.io/component': component, ...(model && { model }) },
    },
    spec: { selector: { matchLabels: { app: name } } },
  };
}

const manifests = [
  workload('r', 'router'),
  workload('a', 'serving-engine', 'llama'),
  workload('b', 'serving-engine', 'qwen'),
];

function pod(name: string, app: string, restarts = 0): object {
  return {
    metadata: { name, labels: { app } },
    status: { containerStatuses: [{ name: 'c', restartCount: restarts, state: { running: {} } }] },
  };
}

async function setUp(t: TestContext) {
  const script = {
    pods: [pod('r-1', 'r'), pod('a-1', 'a', 2), pod('b-1', 'b'), pod('stranger', 'x')],
    /** Requests for logs: pod and query. */
    asked: [] as string[],
    logs: new Map<string, ServerResponse>(),
    missing: '',
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    const name = /pods\/([^/]+)\/log$/.exec(url.pathname)?.[1];
    if (name === undefined) return response.end(JSON.stringify({ items: script.pods }));
    script.asked.push(`${name} ${url.searchParams}`);
    if (name === script.missing) {
      response.statusCode = 400;
      return response.end(JSON.stringify({ kind: 'Status', message: 'no log' }));
    }
    if (!url.searchParams.has('follow')) return response.end(`one of ${name}\ntwo of ${name}\n`);
    response.flushHeaders();
    return script.logs.set(name, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = new AbortController();
  t.after(() => {
    stop.abort();
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cluster = new Cluster({
    ...{ server: url, context: 'c', contexts: ['c'], namespace: 'llm' },
    ...{ requestOptions: async () => ({}), refused: () => {}, close: () => {} },
    openPodPort: () => Promise.reject(new Error('no pods here')),
  });
  const lines: LogLine[] = [];
  const problems: string[] = [];
  const read = (more: Partial<Parameters<typeof readStackLogs>[0]> = {}) =>
    readStackLogs({
      ...{ cluster, namespace: 'llm', manifests, names: [], tailLines: 5, pollMs: 5 },
      ...{ isPrevious: false, follows: false, signal: stop.signal },
      onLines: async (more) => {
        lines.push(...more);
      },
      onProblem: (problem) => problems.push(problem),
      ...more,
    });
  return { script, lines, problems, read, stop };
}

test('the lines of all pods of the release are read, component by component', async (t) => {
  const { lines, read, script } = await setUp(t);
  await read({ sinceSeconds: 60 });
  assert.deepEqual(
    lines.map(({ component, line }) => `${component}: ${line}`),
    [
      ...['router: one of r-1', 'router: two of r-1'],
      ...['engine llama: one of a-1', 'engine llama: two of a-1'],
      ...['engine qwen: one of b-1', 'engine qwen: two of b-1'],
    ],
  );
  assert.equal(script.asked[0], 'r-1 container=c&tailLines=5&sinceSeconds=60');
});

for (const [names, pods] of [
  [['router'], ['r-1']],
  [['engine'], ['a-1', 'b-1']],
  [['qwen'], ['b-1']],
  [
    ['engine llama', 'r-1'],
    ['r-1', 'a-1'],
  ],
] as const) {
  test(`${names.join(' and ')}: the logs of ${pods.join(' and ')}`, async (t) => {
    const { lines, read } = await setUp(t);
    await read({ names });
    assert.deepEqual([...new Set(lines.map((line) => line.pod))], pods);
  });
}

test('an unknown name is bad input, and the message says what there is', async (t) => {
  const { read } = await setUp(t);
  await assert.rejects(read({ names: ['routr'] }), {
    code: 'ERR_INPUT',
    message:
      'The release has no component, model or pod "routr"; its components: router, engine llama, engine qwen.',
  });
});

test('only containers that were restarted have a previous log', async (t) => {
  const { read, script } = await setUp(t);
  await read({ isPrevious: true });
  assert.deepEqual(script.asked, ['a-1 container=c&tailLines=5&previous=true']);
});

test('a log that cannot be read is named, and the others are read', async (t) => {
  const { lines, problems, read, script } = await setUp(t);
  script.missing = 'a-1';
  await read();
  assert.equal(lines.length, 4);
  assert.match(problems.join(), /^a-1: GET .*\/pods\/a-1\/log failed: status 400: no log\.$/);
});

test('following shows lines as they come, also of pods that start later', async (t) => {
  const { lines, read, script, stop } = await setUp(t);
  script.pods = [pod('a-1', 'a')];
  const reading = read({ follows: true, names: ['llama'] });
  await until(() => script.logs.has('a-1'));
  script.logs.get('a-1')?.write('first\nhalf of the ');
  await until(() => lines.length === 1);
  script.logs.get('a-1')?.write('second\n');
  script.pods = [pod('a-1', 'a'), pod('a-2', 'a'), pod('b-2', 'b')];
  await until(() => script.logs.has('a-2'));
  script.logs.get('a-2')?.write('third\n');
  await until(() => lines.length === 3);
  assert.deepEqual(
    lines.map(({ pod, line }) => `${pod} ${line}`),
    ['a-1 first', 'a-1 half of the second', 'a-2 third'],
  );
  // The same container once more, after a restart, has a new log.
  script.pods = [pod('a-1', 'a', 1), pod('a-2', 'a')];
  await until(() => script.asked.filter((asked) => asked.startsWith('a-1 ')).length === 2);
  assert.ok(!script.logs.has('b-2'));
  stop.abort();
  await reading;
});
