// What a command loads before it works: each module costs its start, each library its memory, too.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..', '..');

test('an engine starts with the libraries of its flags and templates, and no others', async () => {
  const { ours, packages } = await loadedBy('src/cli/commands/engine.ts');
  assert.ok(ours.size > 100, `${ours.size} modules of ours`);
  // zod and yaml, 166 modules and 12 MB of memory, are for files that most engines are not given.
  assert.deepEqual([...packages].sort(), ['@huggingface/jinja', 'commander']);
});

test('a fleet of the catalogue is simulated without values files, their libraries and tokenizers', async () => {
  const { ours, packages } = await loadedBy(
    'src/cli/commands/simulate.ts',
    'src/cli/simulate/play-fleet.ts',
  );
  assert.ok(ours.has('src/core/simulation/fleet.ts'));
  // Each costs the start about 0.4 ms of CPU.
  assert.ok(ours.size <= 299, `${ours.size} modules of ours`);
  const rooms = [
    ...['core/values', 'core/layout', 'core/vllm-config', 'core/workload', 'core/tokenizer'],
    ...['tools/simulate-stack', 'tools/simulate-engine', 'tools/simulate-hits'],
  ];
  const needless = [...ours].filter((file) =>
    rooms.some((room) => file.startsWith(`src/${room}/`)),
  );
  assert.deepEqual(needless, []);
  assert.deepEqual([...packages], ['commander']);
});

test('a router starts without what only its engines answer, and without the policies of others', async () => {
  const { ours, packages } = await loadedBy('src/cli/commands/router.ts');
  assert.ok(ours.has('src/core/routing/routing-core.ts'));
  const rooms = ['core/api', 'core/peer-policies', 'core/engine', 'core/values'];
  const needless = [...ours].filter((file) =>
    rooms.some((room) => file.startsWith(`src/${room}/`)),
  );
  assert.deepEqual(needless, []);
  assert.deepEqual([...packages], ['commander']);
});

test('the list of commands is printed without loading any of them', async () => {
  const { ours } = await loadedBy('src/cli/main.ts');
  const rooms = new Set([...ours].map((file) => file.split('/').slice(0, 3).join('/')));
  assert.deepEqual(
    [...rooms].filter((room) => !/^src\/(cli|core\/base|io\/lifeline)/.test(room)),
    ['package.json'],
  );
});

/** Our files, and the packages, that are loaded with the entries: not what they import when asked. */
async function loadedBy(...entryPoints: string[]) {
  const { metafile } = await build({
    ...{ absWorkingDir: root, entryPoints, outdir: 'unwritten', write: false },
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', packages: 'external' },
    ...{ metafile: true, logLevel: 'silent' },
  });
  const packages = new Set<string>();
  const ours = new Set<string>();
  const walk = (file: string): void => {
    if (ours.has(file)) return;
    ours.add(file);
    for (const { path, kind, external } of metafile.inputs[file]?.imports ?? []) {
      // What is imported in a function is loaded when that runs.
      if (kind !== 'import-statement') continue;
      if (!external) walk(path);
      else if (!path.startsWith('node:')) packages.add(path);
    }
  };
  for (const entry of entryPoints) walk(entry);
  return { ours, packages };
}
