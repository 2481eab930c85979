// Engines of kind vllm: foreign programs under the supervisor of `spillway up`.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAlive, UpProcess } from '../support/up-process.ts';

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');
const fakeVllm = join(import.meta.dirname, '..', 'support', 'fake-vllm.ts');

test('vllm gets its flags, its log is streamed, and it is restarted when it dies', async (context) => {
  const up = await UpProcess.start(['--json', '-f', await valuesFile(context)]);
  context.after(() => up.end('SIGKILL'));
  await up.ready();
  assert.match(
    up.stderr,
    /\[tiny\] args: serve org\/tiny --host 127\.0\.0\.1 --port \d+ --no-enable-prefix-caching --max-model-len 512\n/,
  );
  const first = up.pids.get('tiny') ?? 0;
  const url = up.events.find(({ name }) => name === 'tiny')?.url;
  await fetch(`${url}/die`).catch(() => undefined);
  await up.until(() => {
    const last = up.events.findLast(({ name }) => name === 'tiny');
    return last?.state === 'ready' && last.pid !== first;
  });
  const died = up.events.find(({ state }) => state === 'restarting');
  assert.match(String(died?.detail), /^exit code 3: args: .*; restarts in 0\.25 s$/);
  const pids = [...up.pids.values()];
  await up.end('SIGKILL');
  // vLLM knows nothing of us: a guard beside it ends it.
  await up.until(() => !pids.some(isAlive));
});

test('a vllm that dies at start is one sentence with its exit code and last line', async (context) => {
  const up = await UpProcess.start(['-f', await valuesFile(context)], {
    env: { ...process.env, FAKE_VLLM_FAILS: '1' },
  });
  assert.equal(await up.exited(), 1);
  assert.match(
    up.stderr,
    /^spillway: tiny failed to start \(exit code 1: ValueError: No available memory for the cache blocks\.\)\.$/m,
  );
});

const cures = 'install vLLM, or set spillway.vllmCommand to the command that starts it';

test('without vllm on this machine up says so before anything starts', async (context) => {
  const file = await valuesFile(context);
  const cases: readonly (readonly [command: string, sentence: string])[] = [
    ['{/no/such/vllm,serve}', '"/no/such/vllm" is not a program that can be run'],
    ['{no-such-vllm,serve}', '"no-such-vllm" is not on the PATH'],
  ];
  for (const [command, sentence] of cases) {
    const up = await UpProcess.start(['-f', file, '--set', `spillway.vllmCommand=${command}`]);
    assert.equal(await up.exited(), 2);
    assert.equal(up.stdout, '');
    assert.equal(
      up.stderr,
      `spillway: ${sentence}, and servingEngineSpec.modelSpec "tiny" (kind vllm) needs it: ${cures}.\n`,
    );
  }
});

test('a preset that needs vLLM says so in the same words, and names each entry', async () => {
  const up = await UpProcess.start(['--preset', 'gpu', '--set', 'routerSpec.tag=x'], {
    env: { ...process.env, PATH: '/no/such/folder' },
    command: [process.execPath, launcher, 'up'],
  });
  assert.equal(await up.exited(), 2);
  assert.match(up.stderr, /^spillway: "vllm" is not on the PATH, and .* "opt-125m" .*\.$/m);
});

async function valuesFile(context: { after(end: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'up-vllm-'));
  context.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'values.yaml');
  await writeFile(
    path,
    `servingEngineSpec:
  modelSpec:
    - name: tiny
      kind: vllm
      modelURL: org/tiny
      vllmConfig:
        maxModelLen: 512
routerSpec:
  routingLogic: roundrobin
spillway:
  vllmCommand: ["${process.execPath}", "${fakeVllm}", "serve"]
`,
  );
  return path;
}
