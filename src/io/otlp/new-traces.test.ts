import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  parseTraceparent,
  randomIds,
  Sampler,
  samplingDefaults,
} from '../../core/telemetry/index.ts';
import { newTraces } from './new-traces.ts';

const ids = randomIds((count) => '1'.repeat(count));

test('each context is valid, new, and sampled as its trace id decides', () => {
  const sampler = new Sampler({ ...samplingDefaults, share: 0.3 });
  const next = newTraces(sampler, ids);
  const seen = new Set<string>();
  let sampled = 0;
  for (let i = 0; i < 10_000; i++) {
    const context = parseTraceparent(next()) ?? assert.fail('not valid');
    assert.equal(context.isSampled, sampler.head(context.traceId, undefined));
    if (context.isSampled) sampled++;
    seen.add(context.traceId).add(context.spanId);
  }
  assert.equal(seen.size, 20_000);
  // Ten standard deviations.
  assert.ok(Math.abs(sampled - 3_000) < 460, `${sampled}`);
});

test('with a share of 0 none is sampled, with 1 all are', () => {
  for (const share of [0, 1]) {
    const next = newTraces(new Sampler({ ...samplingDefaults, share }), ids);
    for (let i = 0; i < 200; i++) assert.ok(next().endsWith(share === 1 ? '-01' : '-00'));
  }
});
