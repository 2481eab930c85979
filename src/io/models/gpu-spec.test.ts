import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { readGpuSpec } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-gpu-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

test('reads a GPU from its catalogue name or from a YAML file with its datasheet', async () => {
  assert.equal((await readGpuSpec('h100')).name, 'H100-80GB');
  const gpu = await readGpuSpec(
    file(
      'x1.yaml',
      'name: X1\nmemory_gib: 64\ntflops: 400\nmemory_gb_per_second: 2000\n' +
        'link: {kind: NVLink, gb_per_second: 300}\nefficiency: {memory: 0.9}\n',
    ),
  );
  assert.equal(gpu.name, 'X1');
  assert.equal(gpu.memoryBytes, 64 * 2 ** 30);
  assert.deepEqual([gpu.flopsPerSecond, gpu.memoryBytesPerSecond], [4e14, 2e12]);
  assert.deepEqual(gpu.link, { kind: 'NVLink', bytesPerSecond: 3e11 });
  assert.equal(gpu.efficiency.memory, 0.9);
});

test('reads the same GPU from an entry in place of a file, parsed or as text', async () => {
  const entry = { name: 'X2', memory_gib: 64, tflops: 400, memory_gb_per_second: 2000 };
  const parsed = await readGpuSpec(entry);
  assert.equal(parsed.flopsPerSecond, 4e14);
  assert.deepEqual(
    {
      ...(await readGpuSpec('{name: X2, memory_gib: 64, tflops: 400, memory_gb_per_second: 2000}')),
      given: '',
    },
    { ...parsed, given: '' },
  );
  // `given` can be read again: a plan writes it into its values file.
  assert.deepEqual(await readGpuSpec(parsed.given as string), parsed);
});

test('names in one sentence what a file without a GPU lacks', async () => {
  const refused = (given: string, message: RegExp) =>
    assert.rejects(
      readGpuSpec(given),
      (error) => error instanceof InputError && message.test(error.message),
    );
  await refused(join(directory, 'no.yaml'), /Cannot read the GPU/);
  await refused(file('a.yml', 'name: X'), /a.yml: memory_gib: /);
  await refused(file('b.yml', 'tflop: 3'), /a GPU has name, memory_gib/);
  await refused('{name: X', /Cannot read the GPU \{name: X/);
  await refused('{name: X}', /The GPU entry: memory_gib: /);
});
