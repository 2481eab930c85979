// What an engine loads before it is ready: each library costs its start and its memory.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..', '..');

test('an engine starts with the libraries of its flags and templates, and no others', async () => {
  const start = 'src/cli/commands/engine.ts';
  const { metafile } = await build({
    ...{ absWorkingDir: root, entryPoints: [start], outdir: 'unwritten', write: false },
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', packages: 'external' },
    ...{ metafile: true, logLevel: 'silent' },
  });
  const packages = new Set<string>();
  const seen = new Set<string>();
  const walk = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { path, kind, external } of metafile.inputs[file]?.imports ?? []) {
      // What is imported in a function is loaded when that runs.
      if (kind !== 'import-statement') continue;
      if (!external) walk(path);
      else if (!path.startsWith('node:')) packages.add(path);
    }
  };
  walk(start);
  assert.ok(seen.size > 100, `${seen.size} modules of ours`);
  // zod and yaml, 166 modules and 12 MB of memory, are for files that most engines are not given.
  assert.deepEqual([...packages].sort(), ['@huggingface/jinja', 'commander']);
});
