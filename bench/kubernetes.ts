// Measures a router in a cluster of many pods: memory, its share of a core without clients, and the time from the event
// of a pod to a response of its engine.
//
//   node bench/kubernetes.ts --tools $(scripts/kubernetes-tools.sh kube) [--pods 1000] [--seconds 30] [--changes 20]
//
// The API server is real; pods are objects of about 10 KB whose status is written here, on a node that is not there. Engines are
// scripted, with vLLM's metrics, and have an address of 127.0.0.0/8 each.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ControlPlane } from '../test/support/kubernetes/control-plane.ts';

const { values: flags } = parseArgs({
  options: {
    tools: { type: 'string', default: '' },
    pods: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '30' },
    changes: { type: 'string', default: '20' },
  },
});
const root = join(import.meta.dirname, '..');
const metrics = join(root, 'test/integration/fixtures/metrics-offload-after.txt');
const podCount = Number(flags.pods);
/** From `getconf CLK_TCK`, which is 100 on Linux. */
const ticksPerSecond = 100;
const writesAtOnce = 16;
/** As the command "router" sets them. */
const heapFlags = [
  '--max-semi-space-size=6',
  '--semi-space-growth-factor=1',
  '--memory-reducer-gc-count=0',
];
/** With it, a pod is as large as one of a chart, with its managed fields. */
const annotations = { filling: 'x'.repeat(8_000) };
const pods = '/api/v1/namespaces/default/pods';

const cluster = await ControlPlane.start({ tools: flags.tools });
const folder = await mkdtemp(join(tmpdir(), 'spillway-bench-'));
const children: ChildProcess[] = [];
try {
  const enginePort = await start('engines.ts', metrics);
  await grant();
  const names = Array.from({ length: podCount }, (_, i) => i);
  await eachOf(names, (i) => addPod(`engine-${i}`, `127.1.${i >> 7}.${1 + (i & 127)}`));
  const began = performance.now();
  const { port } = new URL(cluster.url);
  const url = await start('router.ts', folder, '127.0.0.1', port, enginePort);
  const router = children.at(-1) as ChildProcess;
  while ((await liveEngines(url)) < podCount) await sleep(1_000);
  const allLiveSeconds = (performance.now() - began) / 1000;
  // The first checks and scrapes are over, and V8 has compiled what runs again and again: after 20 s that still takes a twelfth.
  await sleep(60_000);
  const before = cpuSeconds(router);
  await sleep(Number(flags.seconds) * 1000);
  const share = (cpuSeconds(router) - before) / Number(flags.seconds);
  const rss = rssMegabytes(router);
  const [added, removed] = await changes(url);
  const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
  const row = (name: string, value: string) => console.log(`| ${name} | ${value} |`);
  const spread = (values: readonly number[]) => {
    const all = sorted(values).map((value) => value.toFixed(0));
    return `${all[Math.floor(all.length / 2)]} ms (${all[0]} to ${all.at(-1)})`;
  };
  console.log(`${cpus()[0]?.model}, Node ${process.version}, load ${loadavg()[0]?.toFixed(0)}\n`);
  console.log(`| ${podCount} pods | |\n|---|--:|`);
  row('from the start of the router until all engines are live', `${allLiveSeconds.toFixed(1)} s`);
  row('RSS', `${rss.toFixed(0)} MB`);
  row('CPU without clients, share of one core', `${(share * 100).toFixed(1)} %`);
  row('a pod turns ready until its engine responds to a client', spread(added));
  row('a pod gets a deletion timestamp until no request goes there', spread(removed));
} finally {
  for (const child of children) child.kill('SIGKILL');
  await cluster.close();
  await rm(folder, { recursive: true });
}

/** Starts a program of bench/kubernetes, and resolves with its first line. */
async function start(script: string, ...args: readonly string[]): Promise<string> {
  const program = join(root, 'bench/kubernetes', script);
  const child = spawn(process.execPath, [...heapFlags, program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return line;
}

/** The rights of the guide, as a kubelet mounts them. */
async function grant(): Promise<void> {
  const group = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
  const metadata = { name: 'router' };
  await cluster.expect('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata });
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] }];
  await cluster.expect('POST', `${group}/roles`, { metadata, rules });
  await cluster.expect('POST', `${group}/rolebindings`, {
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'router' },
    subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: 'router' }],
  });
  await writeFile(join(folder, 'token'), await cluster.tokenOf('default', 'router'));
  await writeFile(join(folder, 'ca.crt'), cluster.authority);
}

async function addPod(name: string, ip: string): Promise<void> {
  await cluster.expect('POST', pods, {
    metadata: { name, annotations },
    spec: { nodeName: 'node', containers: [{ name: 'vllm', image: 'none' }] },
  });
  await cluster.expect('PATCH', `${pods}/${name}/status`, {
    status: {
      ...{ phase: 'Running', podIP: ip, podIPs: [{ ip }] },
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  });
}

/** Adds and deletes a pod again and again. Returns milliseconds until each is seen by a client. */
async function changes(url: string): Promise<readonly [number[], number[]]> {
  const [added, removed]: [number[], number[]] = [[], []];
  const ask = async () => {
    const body = JSON.stringify({ model: 'special', prompt: 'Hi' });
    const response = await fetch(`${url}/v1/completions`, { method: 'POST', body });
    await response.arrayBuffer();
    return response.status === 200;
  };
  for (let i = 0; i < Number(flags.changes); i++) {
    const name = `special-${i}`;
    await addPod(name, '127.9.0.1');
    let since = performance.now();
    while (!(await ask())) await sleep(2);
    added.push(performance.now() - since);
    await cluster.expect('DELETE', `${pods}/${name}`, { gracePeriodSeconds: 30 });
    since = performance.now();
    while (await ask()) await sleep(2);
    removed.push(performance.now() - since);
    await cluster.expect('DELETE', `${pods}/${name}`, { gracePeriodSeconds: 0 });
    // The engine is forgotten before it comes again.
    await sleep(1_000);
  }
  return [added, removed];
}

async function eachOf(items: readonly number[], act: (item: number) => Promise<void>) {
  const left = [...items];
  const work = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await act(item);
  };
  await Promise.all(Array.from({ length: writesAtOnce }, work));
}

async function liveEngines(url: string): Promise<number> {
  const page = await (await fetch(`${url}/engines`)).text();
  return page.split('"state":"live"').length - 1;
}

function cpuSeconds(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function rssMegabytes(child: ChildProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}
