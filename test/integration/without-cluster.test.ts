// The workflow's commands on a machine where nothing names a cluster: each does what it can there.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { engineView, routerView } from '../support/router-views.ts';

const home = mkdtempSync(join(tmpdir(), 'no-cluster-'));
after(() => rmSync(home, { recursive: true }));

interface Ended {
  readonly status: number;
  readonly out: string;
  readonly error: string;
}

/** Runs a command as a user without a kubeconfig and without Helm. */
function spillway(line: string, environment: Record<string, string> = {}): Promise<Ended> {
  const env = { PATH: '/nowhere', HOME: home, XDG_RUNTIME_DIR: home, ...environment };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['bin/spillway.mjs', ...line.split(' ')],
      { timeout: 60_000, env },
      (error, out, text) => resolve({ status: Number(error?.code ?? 0), out, error: text }),
    );
  });
}

/** Helm as this program calls it: its version, and one object for any chart. */
function scriptedHelm(): string {
  const program = join(home, 'helm');
  const manifest = 'apiVersion: v1\\nkind: Service\\nmetadata: {name: vllm-router}\\n';
  writeFileSync(
    program,
    `#!/bin/sh\ncase "$1" in version) echo v3.21.4;; template) printf -- '---\\n${manifest}';; esac\n`,
    { mode: 0o755 },
  );
  return program;
}

test('doctor checks the machine, and says that it has no cluster to check', async () => {
  const { status, out } = await spillway('doctor');
  assert.equal(status, 0, out);
  assert.match(out, /^. ports: /m);
  assert.match(out, /^! helm: Helm 3\.14 or newer is needed.*\n {4}next: install it /m);
  assert.match(out, /^- context: no kubeconfig names a cluster.*\n {4}next: .*set KUBECONFIG/m);
});

test('a context that is named and does not exist is bad input, also without a kubeconfig', async () => {
  for (const command of ['doctor', 'status']) {
    const { status, error } = await spillway(`${command} --context prod`);
    assert.equal(status, 2);
    assert.match(error, /^spillway: There is no cluster: /);
  }
});

test('deploy --dry-run lists the objects of a preset, and deploy wants a cluster', async () => {
  const helm = scriptedHelm();
  const dry = await spillway(`deploy --preset laptop --dry-run --helm ${helm}`, { PATH: '/bin' });
  assert.equal(dry.status, 0, dry.error);
  assert.match(dry.out, /^no cluster: /);
  assert.match(dry.out, /^create Service vllm-router\n1 objects would change/m);
  const json = await spillway(
    `deploy --preset laptop --dry-run --json --release a --helm ${helm}`,
    { PATH: '/bin' },
  );
  assert.deepEqual(JSON.parse(json.out), {
    ...{ release: 'a', namespace: 'default', kubernetes: null },
    changes: [{ object: 'Service vllm-router', change: 'create' }],
  });
  const resources = ['requestCPU=4', 'requestMemory=16Gi', 'requestGPU=1'];
  const wanted = ['kind=vllm', 'repository=vllm/vllm-openai', 'tag=v0.32.0', ...resources];
  const sets = [...wanted, 'vllmConfig.extraArgs={--max-num-sequences,4}']
    .map((one) => `--set servingEngineSpec.modelSpec[0].${one}`)
    .join(' ');
  const warned = await spillway(`deploy --preset laptop ${sets} --dry-run --helm ${helm}`, {
    PATH: '/bin',
  });
  assert.match(warned.error, /^warning: .*--max-num-sequences is not a known flag of vLLM/m);
  const real = await spillway(`deploy --preset laptop --helm ${helm}`);
  assert.deepEqual([real.status, real.out], [2, '']);
  assert.match(real.error, /^spillway: There is no cluster: /);
});

test('deploy without values, with an unknown preset, and without Helm is bad input', async () => {
  for (const [line, sentence] of [
    ['deploy', /^spillway: deploy needs the values of a stack: give a file with -f, or a preset/],
    ['deploy --preset lapto', /^spillway: --preset lapto is not a preset; did you mean laptop\?/],
    ['deploy --preset laptop --dry-run', /^spillway: Helm 3\.14 or newer is needed/],
    ['images --preset laptop', /^spillway: Helm 3\.14 or newer is needed/],
  ] as const) {
    const { status, error } = await spillway(line);
    assert.equal(status, 2, line);
    assert.match(error, sentence);
  }
});

test('status shows the stacks of this machine', async (t) => {
  const none = await spillway('status');
  assert.equal(none.status, 2);
  assert.match(none.error, /No stack runs on this machine either; "spillway up" starts one\.$/m);

  let engines = [engineView('a'), engineView('b', { state: 'starting' })];
  const router = createServer((request, response) => {
    if (request.headers.authorization !== 'Bearer secret') response.writeHead(401);
    response.end(JSON.stringify(routerView({ engines })));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => router.once('listening', resolve));
  t.after(() => router.close());
  const { port } = router.address() as AddressInfo;
  const folder = join(home, `spillway-${process.getuid?.() ?? 0}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const url = `http://127.0.0.1:${port}/v1`;
  writeFileSync(join(folder, `up-${process.pid}.json`), JSON.stringify({ router: url }));

  const starting = await spillway('status', { OPENAI_API_KEY: 'secret' });
  assert.equal(starting.status, 1, starting.error);
  assert.match(starting.out, /^! up, process \d+ at http:.*: 1\/2 engines live, predictive/);
  assert.match(starting.out, /^ {4}b http:\/\/b: starting$/m);
  engines = [engineView('a')];
  const ready = await spillway('status --json', { OPENAI_API_KEY: 'secret' });
  assert.equal(ready.status, 0, ready.error);
  assert.deepEqual(JSON.parse(ready.out).stacks[0].engines, [
    { name: 'a', url: 'http://a', state: 'live' },
  ]);
  const locked = await spillway('status');
  assert.equal(locked.status, 1);
  assert.match(locked.out, /its router wants a key: set OPENAI_API_KEY$/m);
});

test('hosts are not asked for a router that would not start', async () => {
  const file = join(home, 'hosts.yaml');
  writeFileSync(
    file,
    `spillway: {bareMetal: {hosts: [192.0.2.1]}}
servingEngineSpec: {modelSpec: [{name: a, modelURL: Qwen/Qwen3-8B}]}
routerSpec: {extraArgs: [--request-timout, 60]}
`,
  );
  for (const end of ['', ' --dry-run']) {
    const { status, error } = await spillway(`deploy --target bare-metal -f ${file}${end}`);
    assert.equal(status, 2, error);
    assert.match(
      error,
      /hosts\.yaml:3:25: .*--request-timout is not a flag of the router; did you/,
    );
  }
});

test('--subchart gives Helm, simulations and the doctor the part of a file below', async () => {
  const file = join(home, 'umbrella.yaml');
  writeFileSync(
    file,
    `db: {x: 1}
vllm:
  servingEngineSpec:
    modelSpec: [{name: a, kind: embedded, modelURL: Qwen/Qwen3-8B, replicaCount: 2}]
`,
  );
  const seen = join(home, 'seen.yaml');
  const helm = join(home, 'copying-helm');
  writeFileSync(
    helm,
    `#!/bin/sh
case "$1" in version) echo v3.21.4; exit;; esac
while [ $# -gt 0 ]; do if [ "$1" = -f ]; then /bin/cat "$2" > ${seen}; fi; shift; done
printf -- '---\\napiVersion: v1\\nkind: Service\\nmetadata: {name: r}\\n'
`,
    { mode: 0o755 },
  );
  const deployed = await spillway(`deploy --dry-run --helm ${helm} -f ${file} --subchart vllm`);
  assert.equal(deployed.status, 0, deployed.error);
  const { servingEngineSpec: given } = JSON.parse(readFileSync(seen, 'utf8'));
  assert.deepEqual(given.modelSpec[0].replicaCount, 2);
  const workload = 'docs/guide/kv-offload/tenants.yaml';
  for (const command of ['doctor', `simulate --workload ${workload} --requests 20`]) {
    const without = await spillway(`${command} -f ${file}`);
    assert.equal(without.status, 2, command);
    assert.match(without.error, /--subchart vllm/);
    const { status, error } = await spillway(`${command} -f ${file} --subchart vllm`);
    assert.equal(status, 0, `${command}: ${error}`);
  }
});
