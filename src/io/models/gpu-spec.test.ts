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

test('a GPU is a name of the catalogue, or a YAML file of its datasheet', async () => {
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

test('a file that holds no GPU is one sentence that says what it lacks', async () => {
  const isInput = (message: RegExp) => (error: unknown) =>
    error instanceof InputError && message.test(error.message);
  await assert.rejects(readGpuSpec(join(directory, 'no.yaml')), isInput(/Cannot read the GPU/));
  await assert.rejects(readGpuSpec(file('a.yml', 'name: X')), isInput(/a.yml: memory_gib: /));
  await assert.rejects(
    readGpuSpec(file('b.yml', 'tflop: 3')),
    isInput(/a GPU has name, memory_gib/),
  );
});
