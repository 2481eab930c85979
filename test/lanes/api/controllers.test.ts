// The whole control plane: controllers make the pods of a Deployment, the scheduler gives them to a fake node, and kwok
// says that they run.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ControlPlane } from '../../support/kubernetes/control-plane.ts';
import { fakeNode } from '../../support/kubernetes/kwok-stages.ts';
import { until } from '../../support/until.ts';

const tools = process.env['TOOLS'] ?? '';
let cluster: ControlPlane;

before(async () => {
  cluster = await ControlPlane.start({ tools, controllers: true });
});
after(() => cluster?.close());

test('a Deployment on a fake node becomes available, is scaled, and goes', async () => {
  await cluster.expect('POST', '/api/v1/nodes', fakeNode('fake-1'));
  const labels = { app: 'vllm' };
  const deployments = '/apis/apps/v1/namespaces/default/deployments';
  await cluster.expect('POST', deployments, {
    metadata: { name: 'vllm' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [
            { name: 'vllm', image: 'none', resources: { limits: { 'nvidia.com/gpu': 1 } } },
          ],
        },
      },
    },
  });
  const available = async () => {
    const { status } = await cluster.expect('GET', `${deployments}/vllm`);
    return (status as { readonly availableReplicas?: number }).availableReplicas ?? 0;
  };
  await until(async () => (await available()) === 2);
  await cluster.expect('PATCH', `${deployments}/vllm`, { spec: { replicas: 5 } });
  await until(async () => (await available()) === 5);
  await cluster.expect('DELETE', `${deployments}/vllm?propagationPolicy=Foreground`);
  await until(async () => {
    const { items } = await cluster.expect('GET', '/api/v1/namespaces/default/pods');
    return (items as readonly object[]).length === 0;
  });
});

test('kubectl of the same build works with the kubeconfig', async () => {
  const { stdout } = await promisify(execFile)(
    join(tools, 'kubectl'),
    ['get', 'nodes', '-o', 'name'],
    {
      env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
      timeout: 60_000,
    },
  );
  assert.equal(stdout, 'node/fake-1\n');
});
