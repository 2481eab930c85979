import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CommanderError } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { configCommand } from './config.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-config-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** What `spillway config ARGS` prints, and its exit status. */
async function run(...args: string[]): Promise<{ out: string; err: string; status: number }> {
  const written = { out: '', err: '' };
  const to = (stream: 'out' | 'err') => ({
    write: (text: string) => {
      written[stream] += text;
    },
  });
  const command = configCommand(to('out'), to('err')).exitOverride();
  try {
    await command.parseAsync(args, { from: 'user' });
    return { ...written, status: 0 };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { ...written, status: error.exitCode };
  }
}

test('show prints what was written, merged, with its comments', async () => {
  const base = file('base.yaml', '# ours\nrouterSpec:\n  tag: v1 # pinned\n  replicaCount: 1\n');
  const more = file('more.yaml', 'routerSpec:\n  replicaCount: 2\n');
  const { out } = await run('show', '-f', base, '-f', more, '--set', 'routerSpec.rootPath=/a');
  assert.equal(out, '# ours\nrouterSpec:\n  tag: v1 # pinned\n  replicaCount: 2\n  rootPath: /a\n');
});

test('show without anything shows what "spillway up" runs from nothing', async () => {
  const { out } = await run('show', '--json');
  const { servingEngineSpec } = JSON.parse(out);
  assert.equal(servingEngineSpec.modelSpec[0].replicaCount, 4);
});

test('show --defaults prints every key', async () => {
  const path = file('one.yaml', 'routerSpec: {tag: v1}\n');
  const { out } = await run('show', '-f', path, '--defaults', '--json');
  const values = JSON.parse(out);
  assert.equal(values.routerSpec.tag, 'v1');
  assert.equal(values.cacheserverSpec.servicePort, 80);
});

test('validate says that values are valid', async () => {
  const path = file('good.yaml', 'routerSpec: {tag: v1}\n');
  assert.deepEqual(await run('validate', '-f', path), { out: 'valid\n', err: '', status: 0 });
  const { out } = await run('validate', '--preset', 'gpu', '--json');
  assert.deepEqual(JSON.parse(out), { valid: true, problems: [] });
});

test('validate prints every problem on a line and ends with 2', async () => {
  const path = file('bad.yaml', 'routerSpec:\n  tag: 1\n  replicas: 2\n');
  assert.deepEqual(await run('validate', '-f', path), {
    out: '',
    err:
      `${path}:2:8: routerSpec.tag must be a text, not 1; put it in quotes.\n` +
      `${path}:3:3: routerSpec.replicas is not a known key; did you mean replicaCount?\n`,
    status: 2,
  });
  const { out, status } = await run('validate', '-f', path, '--json');
  assert.equal(status, 2);
  assert.deepEqual(JSON.parse(out).problems[1], {
    source: path,
    line: 3,
    column: 3,
    sentence: 'routerSpec.replicas is not a known key; did you mean replicaCount?',
  });
});

test('a key without effect is said, and is no error', async () => {
  const path = file('vain.yaml', 'servingEngineSpec:\n  nodeSelector: {gpu: a}\n');
  assert.deepEqual(await run('validate', '-f', path), {
    out: 'valid\n',
    err: `${path}:2:3: servingEngineSpec.nodeSelector: No effect, as in the upstream chart. Use nodeSelectorTerms of each model.\n`,
    status: 0,
  });
});

test('a GPU or model that the catalogue lacks is found before anything runs', async () => {
  const path = file(
    'gpu.yaml',
    'servingEngineSpec:\n  modelSpec:\n    - {name: m, modelURL: Qwen/Qwen3-8B, gpu: H1000-80GB}\n',
  );
  const { err, status } = await run('validate', '-f', path);
  assert.equal(status, 2);
  assert.match(err, /:3:47: servingEngineSpec\.modelSpec\[0\]\.gpu: .*did you mean H100-80GB\?/);
});

test('validate with nothing to check says so', async () => {
  await assert.rejects(run('validate'), InputError);
});

test('a file that cannot be read is one sentence', async () => {
  const table: [string, RegExp][] = [
    [join(directory, 'none.yaml'), /none\.yaml: no such file or folder; check the path\.$/],
    [directory, /: it is a folder, not a file\.$/],
  ];
  for (const [path, expected] of table) {
    await assert.rejects(run('show', '-f', path), expected);
  }
  const latin = join(directory, 'latin.yaml');
  writeFileSync(latin, Uint8Array.of(0x61, 0x3a, 0x20, 0xe9));
  await assert.rejects(run('show', '-f', latin), /latin\.yaml: not UTF-8 text\.$/);
  const large = file('large.yaml', `# ${'x'.repeat(1024 * 1024)}\n`);
  await assert.rejects(run('show', '-f', large), /larger than 1048576 bytes/);
});

test('schema and presets are printed', async () => {
  const schema = JSON.parse((await run('schema')).out);
  assert.equal(schema.additionalProperties, false);
  const { out } = await run('presets');
  assert.match(out, /^laptop +Four embedded engines/m);
  const rows = JSON.parse((await run('presets', '--json')).out);
  assert.equal(rows[0].name, 'laptop');
});
