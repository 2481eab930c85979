// The workflow on two hosts with systemd: deployed, upgraded under load, broken, rolled back and removed, each step by the command.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../../support/until.ts';

const launcher = join(import.meta.dirname, '..', '..', '..', 'bin', 'spillway.mjs');
const hosts = process.env['HOSTS'] ?? '';
const [first = '', second = ''] = hosts.split(',');
const target = ['--target', 'bare-metal', '--hosts', hosts];
const url = 'http://127.0.0.2:8000';
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hosts-'));
});

after(() => rm(folder, { recursive: true, force: true }));

test('a dry run on a new host changes nothing, and shows the units', async () => {
  const file = await valuesFile('replicaCount: 2');
  const { status, stdout } = await spillway('deploy', '-f', file, ...target, '--diff');
  assert.equal(status, 0);
  assert.match(
    stdout,
    /write \/etc\/systemd\/system\/spillway-vllm_router\.service on root@127\.0\.0\.2/,
  );
  assert.match(stdout, /^ {2}DynamicUser=yes$/m);
  assert.equal(onHost(first, 'ls /etc/spillway 2>/dev/null | wc -l'), '0');
});

test('one command goes from values to figures: a stack that serves, its smoke test, a load', async () => {
  const file = await valuesFile('replicaCount: 2');
  const load = '--num-prompts 20 --request-rate 20 --random-input-len 50';
  const flags = ['--wait', '3m', '--smoke', `--bench=${load}`, '--json'];
  const { status, stdout } = await spillway('deploy', '-f', file, ...target, ...flags);
  assert.equal(status, 0, stdout);
  const { revision, url: found, serving, health, smoke, bench } = JSON.parse(stdout);
  assert.deepEqual([revision, found, serving, health, smoke.ok], [1, url, true, 'ready', true]);
  assert.match(JSON.stringify(smoke.checks), /all of 2 engines responded/);
  assert.deepEqual([bench.completed, bench.total_input_tokens], [20, 1000]);
});

test('the same values again change nothing and start nothing again', async () => {
  const begun = () =>
    onHost(second, 'systemctl show spillway-vllm_q-2 -p ActiveEnterTimestampMonotonic');
  const since = begun();
  const file = await valuesFile('replicaCount: 2');
  const { stdout } = await spillway('deploy', '-f', file, ...target, '--json');
  const { revision, changes } = JSON.parse(stdout);
  assert.equal(revision, 1);
  assert.ok(changes.every(({ change }: { change: string }) => change === 'keep'));
  assert.equal(begun(), since);
});

test('services run as users of their own, with secrets that only root reads', () => {
  const uid = onHost(first, 'ps -o uid= -p $(systemctl show spillway-vllm_q-1 -p MainPID --value)');
  assert.notEqual(Number(uid), 0);
  const mode = onHost(first, 'stat -c %a /etc/spillway/vllm/spillway-vllm_q-1.env');
  assert.equal(mode, '600');
});

test('one host is enough to find the stack on all', async () => {
  const one = ['--target', 'bare-metal', '--hosts', second];
  const { status, stdout } = await spillway('status', ...one, '--json');
  assert.equal(status, 0);
  const { url: found, components } = JSON.parse(stdout);
  assert.equal(found, url);
  assert.deepEqual(
    components.map(
      ({ name, ready, wanted }: Record<string, unknown>) => `${name} ${ready}/${wanted}`,
    ),
    ['router 1/1', 'engine q 2/2'],
  );
});

test('a service that is killed starts again', async () => {
  const pid = () => onHost(second, 'systemctl show spillway-vllm_q-2 -p MainPID --value');
  const former = pid();
  onHost(second, 'systemctl kill -s KILL spillway-vllm_q-2');
  await until(() => {
    const now = pid();
    return now !== former && now !== '0';
  });
});

test('an upgrade restarts one engine after the other: no request fails', async () => {
  await until(async () => (await spillway('status', ...target)).status === 0);
  const load = requests();
  const file = await valuesFile('replicaCount: 2, vllmConfig: {maxModelLen: 8192}');
  const { status, stdout } = await spillway('deploy', '-f', file, ...target, '--wait', '3m');
  assert.equal(status, 0, stdout);
  const { sent, failed } = await load.end();
  assert.ok(sent > 10, `${sent} requests were sent`);
  assert.deepEqual(failed, []);
  assert.match(stdout, /serving revision 2 at/);
});

test('an upgrade that does not serve is told with its reason, and undone', async () => {
  // An engine that ends as soon as it starts.
  const entry = 'replicaCount: 2, kind: vllm, requestGPU: 0';
  const file = await valuesFile(entry, '', 'vllmCommand: [/bin/false, serve],');
  const flags = ['--wait', '60s', '--rollback', '--json'];
  const { status, stdout } = await spillway('deploy', '-f', file, ...target, ...flags);
  assert.equal(status, 1, stdout);
  const { serving, reason, undone } = JSON.parse(stdout);
  assert.deepEqual([serving, undone], [false, 'rolled back to revision 2']);
  assert.match(reason, /engine q is not ready/);
  await until(async () => (await spillway('status', ...target)).status === 0);
});

test('logs are those of the journals, of a component or of all', async () => {
  const { status, stdout } = await spillway('logs', 'router', ...target, '--json', '--tail', '5');
  assert.equal(status, 0);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.ok(lines.length > 0 && lines.every(({ component }) => component === 'router'));
  const unknown = await spillway('logs', 'nobody', ...target);
  assert.deepEqual([unknown.status, /there are: .*engine q/.test(unknown.stderr)], [2, true]);
});

test('units for docker and podman are units to systemd', async () => {
  for (const container of ['docker', 'podman']) {
    // A program of that name, so that systemd finds it; no image is run.
    onHost(first, `ln -sf /bin/true /usr/local/bin/${container}`);
    const file = await valuesFile(
      'repository: org/engine, tag: v1, kind: vllm, requestGPU: 0',
      `container: ${container}`,
    );
    const named = ['--target', 'bare-metal', '--hosts', first, '--release', container];
    const { stdout, status } = await spillway(
      'deploy',
      '-f',
      file,
      ...named,
      '--wait',
      '1s',
      '--rollback',
      '--json',
    );
    const { reason, undone } = JSON.parse(stdout);
    // Accepted by "systemd-analyze verify"; what it starts ends at once.
    assert.deepEqual([status, undone], [1, 'removed'], reason);
    assert.doesNotMatch(reason, /refuses/);
  }
});

test('teardown leaves nothing but the caches, and those go with --pvcs', async () => {
  const { status, stdout } = await spillway('teardown', ...target, '--pvcs', '--json');
  assert.equal(status, 0, stdout);
  const { left, kept, removed } = JSON.parse(stdout);
  assert.deepEqual([left, kept, removed.length], [[], [], 3]);
  for (const host of [first, second]) {
    const units =
      'ls /etc/systemd/system | grep -c spillway-vllm; ls -d /etc/spillway/vllm /var/cache/private/spillway-vllm_* 2>/dev/null | wc -l';
    assert.equal(onHost(host, units), '0\n0');
  }
  assert.equal((await spillway('status', ...target)).status, 2);
});

async function valuesFile(entry: string, bareMetal = '', spillway = ''): Promise<string> {
  const kind = entry.includes('kind:') ? '' : 'kind: embedded, ';
  const path = join(folder, `${Math.random()}.yaml`);
  await writeFile(
    path,
    `servingEngineSpec: {modelSpec: [{name: q, ${kind}modelURL: Qwen/Qwen3-8B, ${entry}}]}
routerSpec: {routingLogic: leastloaded}
spillway: {${spillway} bareMetal: {spillwayCommand: [/opt/node/node, /opt/spillway/bin/spillway.mjs], ${bareMetal}}}\n`,
  );
  return path;
}

function spillway(...words: string[]) {
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [launcher, ...words], (error, stdout, stderr) =>
      resolve({ status: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

/** Runs a command as root on a host. */
function onHost(host: string, command: string): string {
  const [name = '', port = ''] = host.split(':');
  const { stdout } = spawnSync('ssh', ['-o', 'BatchMode=yes', '-p', port, name, command], {
    encoding: 'utf8',
  });
  return stdout.trim();
}

/** A request every 100 ms until `end`. */
function requests() {
  const failed: string[] = [];
  const under: Promise<void>[] = [];
  const send = async () => {
    const body = JSON.stringify({ model: 'Qwen/Qwen3-8B', prompt: 'Hello', max_tokens: 8 });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/v1/completions`, { method: 'POST', headers, body }).catch(
      String,
    );
    if (typeof answer === 'string') failed.push(answer);
    else if (answer.status !== 200) failed.push(`${answer.status} ${await answer.text()}`);
    else await answer.text();
  };
  const timer = setInterval(() => under.push(send()), 100);
  return {
    end: async () => {
      clearInterval(timer);
      await Promise.all(under);
      return { sent: under.length, failed };
    },
  };
}
