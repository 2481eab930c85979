import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { environmentText } from './environment.ts';
import { amdGpus, cpuLimit, firstVersion, memoryLimit, nvidiaGpus, osName } from './parse.ts';
import { readEnvironment } from './read-environment.ts';

const nothing = { run: async () => undefined, read: async () => undefined };

test('a machine without any tool still says what it is', async () => {
  const environment = await readEnvironment(nothing);
  assert.ok(environment.cpu.count > 0 && environment.memory.bytes > 0);
  assert.deepEqual([environment.gpus, environment.containerRuntimes], [[], {}]);
  assert.match(
    environmentText(environment),
    /^spillway .*\nsystem .*\nprocessor .*\nmemory .*\nGPU {8}none\n$/,
  );
});

test('a GPU machine in a container', async () => {
  const said: Readonly<Record<string, string>> = {
    'nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader,nounits':
      'NVIDIA H200, 143771, 570.124.06\nNVIDIA H200, 143771, 570.124.06\n',
    'nvidia-smi': '| NVIDIA-SMI 570.124.06   Driver Version: 570.124.06   CUDA Version: 12.8 |\n',
    'docker --version': 'Docker version 28.1.1, build 4eba377\n',
    'kubectl version --client': 'Client Version: v1.36.3\nKustomize Version: v5.7.1\n',
  };
  const files: Readonly<Record<string, string>> = {
    '/etc/os-release': 'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    '/.dockerenv': '',
    '/sys/fs/cgroup/cpu.max': '150000 100000\n',
    '/sys/fs/cgroup/memory.max': '1073741824\n',
  };
  const environment = await readEnvironment({
    run: async (program, args) => said[[program, ...args].join(' ')],
    read: async (path) => files[path],
  });
  assert.equal(environment.os.name, 'Debian GNU/Linux 12 (bookworm)');
  assert.equal(environment.os.virtualization, 'docker');
  assert.equal(environment.cpu.limit, 1.5);
  assert.equal(environment.memory.limitBytes, 2 ** 30);
  assert.deepEqual(environment.gpus[1], {
    ...{ name: 'NVIDIA H200', memoryMiB: 143771, driver: '570.124.06', runtime: 'CUDA 12.8' },
  });
  assert.deepEqual(environment.containerRuntimes, { docker: '28.1.1', kubectl: '1.36.3' });
});

test('the commit of the working directory, and whether it was changed', async () => {
  const commit = '0123456789abcdef0123456789abcdef01234567';
  const gitOf = async (said: Readonly<Record<string, string>>) => {
    const run = async (program: string, args: readonly string[]) =>
      said[[program, ...args].join(' ')];
    return readEnvironment({ ...nothing, run });
  };
  const head = { 'git rev-parse HEAD': `${commit}\n` };
  const changed = await gitOf({
    ...head,
    'git branch --show-current': 'main\n',
    'git status --porcelain --untracked-files=no': ' M a\n',
  });
  assert.deepEqual(changed.git, { commit, branch: 'main', isChanged: true });
  assert.match(environmentText(changed), /^commit +0123456789ab on main, changed$/m);
  const detached = await gitOf({ ...head, 'git branch --show-current': '\n' });
  assert.deepEqual(detached.git, { commit, branch: null, isChanged: false });
  assert.equal((await gitOf({ 'git rev-parse HEAD': 'fatal: no\n' })).git, null);
});

test('an engine says its version; one that does not is named with the reason', async (t) => {
  const server = createServer((request, response) => {
    if (request.url === '/version') response.end('{"version":"0.32.0"}');
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { engines } = await readEnvironment({
    ...nothing,
    urls: [`${url}/v1`, `${url}/none`, 'http://127.0.0.1:9'],
  });
  assert.deepEqual(
    engines.map(({ version, problem }) => [version, problem]),
    [
      ['0.32.0', null],
      [null, 'status 404'],
      [null, engines[2]?.problem],
    ],
  );
  assert.ok(engines[2]?.problem);
});

test('the texts of machines', () => {
  assert.equal(osName('PRETTY_NAME=Alpine\n'), 'Alpine');
  assert.equal(osName(''), null);
  assert.equal(cpuLimit('max 100000'), null);
  assert.equal(cpuLimit('-1 100000'), null);
  assert.equal(cpuLimit('undefined undefined'), null);
  assert.equal(memoryLimit('max', 100), null);
  assert.equal(memoryLimit('9223372036854771712', 100), null);
  assert.equal(
    firstVersion('containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1'),
    '1.6.20~ds1',
  );
  assert.equal(firstVersion('no version'), null);
  assert.deepEqual(nvidiaGpus('\n', null), []);
  const amd = {
    card0: { 'Card Series': 'MI300X', 'VRAM Total Memory (B)': '206141652992' },
    system: { 'Driver version': '6.8.5' },
  };
  assert.deepEqual(amdGpus(JSON.stringify(amd)), [
    { name: 'MI300X', memoryMiB: 196592, driver: '6.8.5', runtime: null },
  ]);
});
