// The doctor against a scripted API server, which also plays Hugging Face.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { scriptedRegistry } from '../../../test/support/scripted-registry.ts';
import { NoResponseError } from '../../core/base/index.ts';
import type { ContextAccess } from '../../io/kubernetes/index.ts';
import { Cluster } from './cluster.ts';
import { doctor } from './doctor.ts';

interface Script {
  /** Status of paths that begin so; 200 for others. */
  readonly statuses?: Readonly<Record<string, number>>;
  /** Lists by path. */
  readonly lists?: Readonly<Record<string, readonly object[]>>;
  readonly isAllowed?: (resource: string) => boolean;
}

async function findings(
  t: TestContext,
  script: Script,
  models: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
) {
  const { statuses = {}, lists = {}, isAllowed = () => true } = script;
  const tokens: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const status = Object.entries(statuses).find(([prefix]) => path.startsWith(prefix))?.[1];
    let body = '';
    request.on('data', (bytes) => {
      body += bytes;
    });
    request.on('end', () => {
      if (path.includes('/resolve/')) tokens.push(request.headers.authorization);
      const answer = path.endsWith('reviews')
        ? { status: { allowed: isAllowed(JSON.parse(body).spec.resourceAttributes.resource) } }
        : { gitVersion: 'v1.36.0', items: lists[path.split('?')[0] ?? ''] ?? [] };
      response.writeHead(status ?? 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const access: ContextAccess = {
    ...{ server: url, context: 'c', contexts: ['c'], namespace: 'default' },
    ...{ requestOptions: async () => ({}), refused: () => {}, close: () => {} },
    openPodPort: () => Promise.reject(new Error('no pods here')),
  };
  const modelSpec = models.map((modelURL, index) => ({ name: `m${index}`, modelURL }));
  const checks = await doctor({
    ...{
      cluster: new Cluster(access),
      namespace: 'llm',
      values: { servingEngineSpec: { modelSpec } },
    },
    ...{
      environment: { HF_ENDPOINT: url, HF_TOKEN: 'hf_x', ...environment },
      ports: [port],
      onCheck: () => {},
    },
  });
  return { tokens, byName: new Map(checks.map((check) => [check.name, check])) };
}

test('a port in use is a warning, and its number is told', async (t) => {
  const { byName } = await findings(t, {});
  assert.equal(byName.get('ports')?.result, 'warning');
  assert.match(byName.get('ports')?.detail ?? '', /^in use here: \d+$/);
  assert.equal(byName.get('hugging face')?.result, 'skipped');
});

test('models are asked for with the token; gated and unknown ones fail', async (t) => {
  const good = await findings(t, {}, ['org/good']);
  assert.equal(good.byName.get('hugging face')?.result, 'ok');
  assert.deepEqual(good.tokens, ['Bearer hf_x']);
  const statuses = { '/org/gated/': 403, '/org/gone/': 404, '/org/sick/': 500 };
  const bad = await findings(t, { statuses }, ['org/gated', 'org/gone', 'org/sick', 'org/good']);
  assert.equal(bad.byName.get('hugging face')?.result, 'failed');
  assert.equal(
    bad.byName.get('hugging face')?.detail,
    'org/gated is gated or private; org/gone does not exist; org/sick: status 500',
  );
});

test('rights that are refused are named with group and subresource', async (t) => {
  const { byName } = await findings(t, {
    isAllowed: (resource) => resource !== 'roles' && resource !== 'services',
  });
  assert.equal(byName.get('rights')?.result, 'failed');
  assert.match(byName.get('rights')?.detail ?? '', /^missing: get services, list services, /);
});

test('what a user may not list is skipped', async (t) => {
  const statuses = {
    '/api/v1/nodes': 403,
    '/api/v1/pods': 403,
    '/apis/storage': 403,
    '/api/v1/names': 403,
  };
  const { byName } = await findings(t, { statuses });
  for (const name of ['storage', 'gpu', 'room', 'images'] as const) {
    assert.equal(byName.get(name)?.result, 'skipped', name);
  }
});

test('a pod that waits for an image fails the check of images', async (t) => {
  const waiting = { reason: 'ImagePullBackOff', message: 'not found' };
  const pod = {
    metadata: { name: 'p' },
    spec: { nodeName: 'n' },
    status: { containerStatuses: [{ name: 'vllm', image: 'x:1', state: { waiting } }] },
  };
  const lists = { '/api/v1/namespaces/llm/pods': [pod] };
  const { byName } = await findings(t, { lists });
  assert.equal(byName.get('images')?.result, 'failed');
  assert.match(byName.get('images')?.detail ?? '', /^p: image x:1 cannot be pulled/);
});

test('a cluster that refuses the credentials cannot be reached', async (t) => {
  await assert.rejects(findings(t, { statuses: { '/version': 401 } }), NoResponseError);
});

test('a mirror that is named must respond as a registry', async (t) => {
  const { url } = await scriptedRegistry(t);
  const mirrorOf = async (named: string) => {
    const { byName } = await findings(t, {}, [], { SPILLWAY_REGISTRY_MIRROR: named });
    return byName.get('mirror');
  };
  const responds = await mirrorOf(url);
  assert.deepEqual([responds?.result, responds?.detail], ['ok', `${url} responds`]);
  const gone = await mirrorOf('http://127.0.0.1:9');
  assert.equal(gone?.result, 'warning');
  assert.match(`${gone?.detail} ${gone?.next}`, /cannot be reached: .* pull from the registries$/);
});
