import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricsRegistry } from './index.ts';

test('removes all series with one label value together, regardless of other labels', () => {
  const registry = new MetricsRegistry();
  const counter = registry.counter({ name: 'sent', help: 'Sent.', labels: ['server', 'model'] });
  for (const server of ['a', 'b']) {
    for (const model of ['m', 'n']) counter.with({ server, model }).inc();
  }
  counter.table.removeMatching({ server: 'a' });
  assert.deepEqual(registry.render().split('\n').slice(2, -1), [
    'sent_total{model="m",server="b"} 1.0',
    'sent_total{model="n",server="b"} 1.0',
  ]);
});
