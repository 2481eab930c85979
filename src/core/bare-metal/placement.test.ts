import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type LocalEngine, planEngines } from '../launch/index.ts';
import { resolveValues } from '../values/index.ts';
import { parseHosts } from './hosts.ts';
import { placeEngines } from './placement.ts';

test('engines with GPUs go where most are free, and no GPU is given twice', () => {
  const placed = place(
    '{name: a, kind: vllm, modelURL: m, replicaCount: 3, vllmConfig: {tensorParallelSize: 2}}',
    [4, 2],
  );
  assert.deepEqual(
    placed.map(({ host, gpus, ports }) => [host.text, gpus, ports.http]),
    [
      ['h0', [0, 1], 8100],
      ['h0', [2, 3], 8103],
      ['h1', [0, 1], 8100],
    ],
  );
});

test('engines without GPUs are spread over the hosts', () => {
  const placed = place('{name: a, kind: embedded, replicaCount: 3}', [0, 8]);
  assert.deepEqual(
    placed.map(({ host, gpus }) => [host.text, gpus.length]),
    [
      ['h0', 0],
      ['h1', 0],
      ['h0', 0],
    ],
  );
  const [cpu] = place('{name: a, kind: vllm, modelURL: m, requestGPU: 0}', [0]);
  assert.deepEqual(cpu?.gpus, []);
});

test('an engine that finds no host is an error that says what is free', () => {
  assert.throws(
    () =>
      place('{name: big, kind: vllm, modelURL: m, vllmConfig: {tensorParallelSize: 4}}', [2, 3]),
    {
      code: 'ERR_INPUT',
      message: /big needs 4 GPUs on one host, and free are: h0 2, h1 3\. .*requestGPU: 0/,
    },
  );
});

test('whatever the hosts, ports and GPUs of a host are distinct', () => {
  const rooms = fc.array(fc.nat(8), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(
      rooms,
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom(1, 2, 4),
      (gpus, count, degree) => {
        const fits = gpus.reduce((sum, free) => sum + Math.floor(free / degree), 0) >= count;
        const entry = `{name: a, kind: vllm, modelURL: m, replicaCount: ${count}, vllmConfig: {tensorParallelSize: ${degree}}}`;
        if (!fits) {
          assert.throws(() => place(entry, gpus), { code: 'ERR_INPUT' });
          return;
        }
        const placed = place(entry, gpus);
        for (const key of [...new Set(placed.map(({ host }) => host.text))]) {
          const own = placed.filter(({ host }) => host.text === key);
          const used = own.flatMap((one) => one.gpus);
          const ports = own.flatMap((one) => Object.values(one.ports));
          assert.equal(new Set(used).size, degree * own.length);
          assert.equal(new Set(ports).size, 3 * own.length);
        }
      },
    ),
  );
});

function place(entry: string, gpus: readonly number[]) {
  const text = `servingEngineSpec: {modelSpec: [${entry}]}`;
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  const hosts = parseHosts(gpus.map((_, index) => `h${index}`));
  const rooms = hosts.map((host, index) => ({
    host,
    gpus: Array.from({ length: gpus[index] ?? 0 }, (_, gpu) => gpu),
  }));
  return placeEngines(planEngines(values) as LocalEngine[], rooms, 8100);
}
