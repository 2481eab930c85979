// The workflow on real pods: from a values file to completions of embedded engines, and back to nothing.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { stringify } from 'yaml';
import { PodCluster } from '../../support/kubernetes/pod-cluster.ts';
import { areConnected, type RouterPod } from '../../support/kubernetes/router-pods.ts';
import { until } from '../../support/until.ts';

const { TOOLS: tools = '', ARCHIVES = '', CGROUP: cgroup = '', HELM: helm = '' } = process.env;
const { LOAD_LOG: loadLog = '' } = process.env;
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

/** With the key of the router. */
const withKey = { OPENAI_API_KEY: 'sk-lane' };

function environment(more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...process.env, KUBECONFIG: cluster.controlPlane.kubeconfig, ...more };
}

function spillway(words: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [launcher, ...words, '-n', 'real'],
      { timeout: 300_000, maxBuffer: 32 << 20, env: environment(more) },
      (error, out, err) => resolve({ status: Number(error?.code ?? 0), out, err }),
    );
  });
}

async function valuesFile(engines: number, router: object = {}): Promise<string> {
  const file = join(folder, `values-${engines}.yaml`);
  const values = {
    spillway: { image: { repository: 'localhost/spillway', tag: 'test', pullPolicy: 'Never' } },
    routerSpec: { resources: { requests: { cpu: '100m', memory: '256Mi' } }, ...router },
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

/** A line for the test's report, and for a file if LOAD_LOG names one. */
function say(t: TestContext, line: string): void {
  t.diagnostic(line);
  if (loadLog !== '') appendFileSync(loadLog, `${line}\n`);
}

test('a values file becomes a stack whose pods serve completions', async (t) => {
  const began = performance.now();
  const deployed = await spillway([
    ...['deploy', '-f', await valuesFile(2), '--helm', helm, '--wait', '3m'],
  ]);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(t, `from an empty cluster to a served completion, with the image on the node: ${seconds} s`);
  assert.equal(deployed.status, 0, deployed.out + deployed.err);
  assert.match(deployed.out, /^engine qwen: 2\/2 ready$/m);
  assert.match(deployed.out, /^router: 1\/1 ready$/m);
  assert.match(deployed.out, /^serving: Qwen\/Qwen3-8B in \d+ ms$/m);

  const status = await spillway(['status']);
  assert.equal(status.status, 0, status.out + status.err);
  await assertSmoke();
});

/** All checks pass. */
async function assertSmoke(more: NodeJS.ProcessEnv = {}): Promise<void> {
  const smoke = await spillway(['smoke', '--json'], more);
  assert.equal(smoke.status, 0, smoke.out + smoke.err);
  const { checks } = JSON.parse(smoke.out) as { checks: { name: string; result: string }[] };
  assert.deepEqual(
    checks.map(({ name, result }) => `${name} ${result}`),
    ['models ok', 'chat ok', 'completion ok', 'stream ok', 'routing ok', 'metrics ok'],
  );
}

test('logs has the lines of each pod', async () => {
  const ran = await spillway(['logs', 'router', 'qwen', '--tail', '5', '--json']);
  assert.equal(ran.status, 0, ran.err);
  const lines = ran.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const pods = new Set(lines.map(({ component, pod }) => `${component} ${pod}`));
  assert.equal([...pods].filter((name) => name.startsWith('engine qwen ')).length, 2, ran.out);
  assert.equal([...pods].filter((name) => name.startsWith('router ')).length, 1, ran.out);
});

test('monitor forwards a port to the router, also after its pod was replaced', async (t) => {
  const child = spawn(
    process.execPath,
    [launcher, 'monitor', '-n', 'real', '--router-port', '0', '--json'],
    {
      env: environment({}),
    },
  );
  t.after(() => child.kill('SIGKILL'));
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  await until(() => out.includes('\n}'));
  const { forwards } = JSON.parse(out) as { forwards: { name: string; url: string }[] };
  const [router] = forwards;
  assert.equal(router?.name, 'router');
  const models = async () => {
    const answer = await fetch(`${router?.url}/v1/models`, { headers: { connection: 'close' } });
    return (await answer.text()).includes(model);
  };
  assert.ok(await models());
  await cluster.controlPlane.expect(
    ...['DELETE', '/api/v1/namespaces/real/pods?labelSelector=app.kubernetes.io/component=router'],
  );
  await until(async () => !(await models().catch(() => false)));
  await until(() => models().catch(() => false));
  child.kill('SIGINT');
  const [status] = await once(child, 'exit');
  assert.equal(status, 0);
});

test('two routers with keys are deployed, know each other, and are tested through a forwarded port', async () => {
  const values = await valuesFile(2, {
    ...{ apiKey: withKey.OPENAI_API_KEY, peersKey: 'between-routers', replicaCount: 2 },
  });
  const deploy = ['deploy', '-f', values, '--helm', helm, '--wait', '3m'];
  const deployed = await spillway(deploy, withKey);
  assert.equal(deployed.status, 0, deployed.out + deployed.err);
  assert.match(deployed.out, /^router: 2\/2 ready$/m);
  assert.match(deployed.out, /^serving: Qwen\/Qwen3-8B in \d+ ms$/m);
  await assertSmoke(withKey);
  const selector = 'labelSelector=app.kubernetes.io/component=router';
  await until(async () => {
    const { items } = await cluster.controlPlane.expect(
      ...['GET', `/api/v1/namespaces/real/pods?${selector}`],
    );
    // A pod that stops no longer answers.
    return areConnected(items as readonly RouterPod[], 8000).catch(() => false);
  });
  const refused = await spillway(['smoke']);
  assert.equal(refused.status, 1, refused.out);
  assert.match(refused.out, /give the router’s key in OPENAI_API_KEY/);
});

test('teardown leaves nothing', async () => {
  const gone = await spillway(['teardown', '--helm', helm, '--delete-namespace']);
  assert.equal(gone.status, 0, gone.out + gone.err);
  assert.match(gone.out, /^Nothing is left\.$/m);
  const namespace = await cluster.controlPlane.ask('GET', '/api/v1/namespaces/real');
  assert.equal(namespace.status, 404);
  for (const node of cluster.nodes) {
    await until(async () => (await node.containers()).length === 0);
  }
});
