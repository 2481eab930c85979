// Which ports the engines of a stack get.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planEngines } from '../../core/launch/index.ts';
import { resolveValues } from '../../core/values/index.ts';
import { freePortRuns } from '../../io/processes/index.ts';
import { chooseEnginePorts } from './engine-ports.ts';

const embedded = (name: string, more = '') => `{name: ${name}, modelURL: org/m, ${more}}`;

async function portsOf(spillway: string, ...entries: readonly string[]) {
  const text = `servingEngineSpec: {modelSpec: [${entries.join(', ')}]}\nspillway: {${spillway}}`;
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  return chooseEnginePorts(values, planEngines(values));
}

test('each engine has three free ports of its own', async () => {
  const ports = await portsOf('', embedded('a', 'replicaCount: 3'));
  const all = ports.flatMap((one) => [one?.http, one?.kvEvents, one?.kvReplay]);
  assert.equal(new Set(all).size, 9);
  assert.ok(all.every((port) => port !== undefined && port > 0));
});

test('engines of one process have consecutive ports of each kind', async () => {
  const ports = await portsOf('engineProcesses: shared', embedded('a', 'replicaCount: 3'));
  for (const kind of ['http', 'kvEvents', 'kvReplay'] as const) {
    const first = ports[0]?.[kind] ?? Number.NaN;
    assert.deepEqual(
      ports.map((one) => one?.[kind]),
      [first, first + 1, first + 2],
      kind,
    );
  }
});

test('ports count up from the one in the values, past engines that run elsewhere', async () => {
  const [first = 0] = await freePortRuns([3]);
  const ports = await portsOf(
    `enginePort: ${first}`,
    embedded('a', 'replicaCount: 2'),
    '{name: far, urls: ["http://127.0.0.1:9"], modelURL: m}',
    embedded('b'),
  );
  assert.deepEqual(
    ports.map((one) => one?.http),
    [first, first + 1, undefined, first + 2],
  );
});
