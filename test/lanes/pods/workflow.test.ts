// The workflow on real pods: from a values file to completions of embedded engines, and back to nothing.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { stringify } from 'yaml';
import { PodCluster } from '../../support/kubernetes/pod-cluster.ts';

const { TOOLS: tools = '', ARCHIVES = '', CGROUP: cgroup = '', HELM: helm = '' } = process.env;
const launcher = join(import.meta.dirname, '..', '..', '..', 'bin', 'spillway.mjs');
const model = 'Qwen/Qwen3-8B';

let cluster: PodCluster;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-workflow-'));
  cluster = await PodCluster.start({ tools, nodes: 2, archives: ARCHIVES.split(':'), cgroup });
});
after(async () => {
  await cluster?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function spillway(...words: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [launcher, ...words],
      {
        ...{ timeout: 300_000, maxBuffer: 32 << 20 },
        env: { ...process.env, KUBECONFIG: cluster.controlPlane.kubeconfig },
      },
      (error, out, err) => resolve({ status: Number(error?.code ?? 0), out, err }),
    );
  });
}

async function valuesFile(engines: number): Promise<string> {
  const file = join(folder, `values-${engines}.yaml`);
  const values = {
    spillway: { image: { repository: 'localhost/spillway', tag: 'test', pullPolicy: 'Never' } },
    routerSpec: { resources: { requests: { cpu: '100m', memory: '256Mi' } } },
    servingEngineSpec: {
      modelSpec: [
        {
          ...{ name: 'qwen', kind: 'embedded', modelURL: model, replicaCount: engines },
          ...{ requestCPU: '100m', requestMemory: '256Mi' },
        },
      ],
    },
  };
  await writeFile(file, stringify(values));
  return file;
}

test('a values file becomes a stack whose pods serve completions, and teardown leaves nothing', async (t) => {
  const began = performance.now();
  const deployed = await spillway(
    ...['deploy', '-f', await valuesFile(2), '-n', 'real', '--helm', helm, '--wait', '3m'],
  );
  t.diagnostic(`deploy took ${((performance.now() - began) / 1000).toFixed(1)} s`);
  t.diagnostic(deployed.out);
  assert.equal(deployed.status, 0, deployed.out + deployed.err);
  assert.match(deployed.out, /^engine qwen: 2\/2 ready$/m);
  assert.match(deployed.out, /^router: 1\/1 ready$/m);
  assert.match(deployed.out, /^serving: Qwen\/Qwen3-8B in \d+ ms$/m);

  const status = await spillway('status', '-n', 'real');
  assert.equal(status.status, 0, status.out + status.err);

  const smoke = await spillway('smoke', '-n', 'real', '--json');
  t.diagnostic(smoke.out);
  assert.equal(smoke.status, 0, smoke.out + smoke.err);
  const { checks } = JSON.parse(smoke.out) as { checks: { name: string; result: string }[] };
  assert.deepEqual(
    checks.map(({ name, result }) => `${name} ${result}`),
    ['models ok', 'completion ok', 'stream ok', 'routing ok', 'metrics ok'],
  );

  const gone = await spillway('teardown', '-n', 'real', '--helm', helm, '--delete-namespace');
  t.diagnostic(gone.out);
  assert.equal(gone.status, 0, gone.out + gone.err);
  assert.match(gone.out, /^Nothing is left\.$/m);
  const namespace = await cluster.controlPlane.ask('GET', '/api/v1/namespaces/real');
  assert.equal(namespace.status, 404);
  for (const node of cluster.nodes) assert.deepEqual(await node.containers(), []);
});
