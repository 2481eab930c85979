import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricsRegistry } from '../../core/metrics/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { clientMemory, memoryBudgetFor } from './client-memory.ts';

/** A log of warnings only. */
function warnings(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const log: Logger = {
    infoEnabled: false,
    debug() {},
    info() {},
    warning: (message) => void lines.push(message),
    error() {},
    flush() {},
  };
  return { log, lines };
}

const mebibytes = (count: number) => count * 2 ** 20;

test('a router holds half of what its container has beyond itself, within bounds', () => {
  const of = (mib: number) => memoryBudgetFor(mebibytes(mib)) / 2 ** 20;
  assert.deepEqual([128, 256, 500, 1_024, 65_536].map(of), [32, 32, 154, 416, 2_048]);
});

test('what is held is on the metrics page by use, and dropped clients are logged once per minute', () => {
  const registry = new MetricsRegistry();
  let now = 0;
  const { log, lines } = warnings();
  const memory = clientMemory(mebibytes(64), { registry, log, nowSeconds: () => now });
  memory.streams.events.force(1_000);
  memory.server.requests.force(30);
  for (now of [0, 10, 59, 61]) memory.server.onDropped?.(2, 500);
  const page = registry.render();
  assert.match(page, /^spillway_router_memory_budget_bytes 6\.7108864e\+07$/m);
  assert.match(page, /^spillway_router_memory_held_bytes\{use="events"\} 1000\.0$/m);
  assert.match(page, /^spillway_router_memory_held_bytes\{use="requests"\} 30\.0$/m);
  assert.match(page, /^spillway_router_dropped_clients_total 8\.0$/m);
  const counts = lines.map((line) => /64 MiB\) is full: (\d+) that did not read/.exec(line)?.[1]);
  assert.deepEqual(counts, ['2', '6']);
});

test('a large event may be held while unread responses and others like it hold little', () => {
  const memory = clientMemory(mebibytes(64), {
    ...{ registry: new MetricsRegistry(), log: warnings().log, nowSeconds: () => 0 },
  });
  const hasRoom = (mib: number) => memory.streams.hasRoomForLarge?.(mebibytes(mib));
  assert.deepEqual([hasRoom(3), hasRoom(5)], [true, false]);
  memory.server.responses.force(mebibytes(2));
  assert.equal(hasRoom(3), false);
});
