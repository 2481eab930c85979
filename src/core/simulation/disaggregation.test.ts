// Fleets with prefill and decode on engines of their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultEngineConfig, type StepLoad } from '../engine/index.ts';
import {
  type Disaggregation,
  type EngineFailure,
  type FleetSimulationOptions,
  type SimulatedRequest,
  simulateFleet,
} from './index.ts';

const blockSize = 16;
const networkSeconds = 0.001;
const hopSeconds = 2 * networkSeconds;
/** A prompt of 100 tokens takes a tenth of a second, a decode 10 ms and 1 ms a sequence. */
const cost = {
  stepSeconds: ({ prefillTokens, decodeSequences }: StepLoad) =>
    prefillTokens * 1e-3 + (decodeSequences > 0 ? 10e-3 : 0) + decodeSequences * 1e-3,
};
const config = defaultEngineConfig({
  ...{ numGpuBlocks: 2000, blockSize, maxModelLen: 2048, enablePrefixCaching: true },
});
const engine = { config, cost };

interface Layout {
  readonly prefill: number;
  readonly decode: number;
  readonly bytesPerSecond: number;
  readonly more?: Partial<Disaggregation>;
}

function disaggregation({ prefill, decode, bytesPerSecond, more }: Layout): Disaggregation {
  const count = prefill + decode;
  return {
    roles: Array.from({ length: count }, (_, i) => (i < prefill ? 'prefill' : 'decode')),
    links: Array.from({ length: count }, () => ({ bytesPerSecond, blockBytes: 1000, blockSize })),
    ...{ latencySeconds: 0, decodePolicy: 'roundrobin', loadFailure: 'fail', ...more },
  };
}

function play(
  requests: readonly SimulatedRequest[],
  layout: Layout,
  more: Partial<FleetSimulationOptions> = {},
) {
  const engines = Array.from({ length: layout.prefill + layout.decode }, () => engine);
  return simulateFleet({
    ...{ requests, engines, networkSeconds, traceBlockTokens: blockSize, policy: 'roundrobin' },
    ...{ disaggregation: disaggregation(layout), keepTokens: true, ...more },
  });
}

const request = (
  i: number,
  { at = i, prompt = 100, output = 3, family = i }: Partial<Record<string, number>> = {},
): SimulatedRequest => ({
  ...{ arrivalSeconds: at, promptTokens: prompt, outputTokens: output },
  blockIds: Array.from({ length: Math.ceil(prompt / blockSize) }, (_, b) => family * 1000 + b),
});

const free = Number.POSITIVE_INFINITY;

test('the client sees prefill, hop, read of whole blocks, and the step that computes the last token', () => {
  // 100 tokens are 7 blocks of 1,000 bytes: 7 ms at 1 MB/s.
  const { ttftSeconds, handoffs } = play([request(0)], {
    ...{ prefill: 1, decode: 1, bytesPerSecond: 1e6 },
  });
  const expected = 0.1 + hopSeconds + 0.007 + 0.011 + networkSeconds;
  assert.ok(Math.abs((ttftSeconds[0] ?? 0) - expected) < 1e-9, `${ttftSeconds[0]}`);
  assert.equal(handoffs?.transferBytes[0], 7000);
  assert.ok(Math.abs((handoffs?.prefillSeconds[0] ?? 0) - 0.1) < 1e-9);
  assert.ok(Math.abs((handoffs?.waitSeconds[0] ?? 0) - hopSeconds) < 1e-9);
  assert.ok(Math.abs((handoffs?.transferSeconds[0] ?? 0) - 0.007) < 1e-9);
});

const traffic = fc.array(
  fc.record({
    gap: fc.nat(300),
    prompt: fc.integer({ min: 1, max: 800 }),
    output: fc.integer({ min: 1, max: 30 }),
    family: fc.nat(3),
  }),
  { minLength: 1, maxLength: 25 },
);
const requestsOf = (items: readonly { gap: number; prompt: number; output: number }[]) => {
  let at = 0;
  return items.map((item, i) => {
    at += item.gap / 1000;
    return request(i, { ...item, at });
  });
};

test('with links that take no time and outputs of one token, TTFT is prefill, a hop and a step', () => {
  fc.assert(
    fc.property(traffic, fc.integer({ min: 1, max: 3 }), (items, prefill) => {
      const requests = requestsOf(items.map((item) => ({ ...item, output: 1 })));
      const alone = simulateFleet({
        engines: Array.from({ length: prefill }, () => engine),
        ...{ requests, networkSeconds, traceBlockTokens: blockSize, policy: 'roundrobin' },
      });
      // So many engines decode that none has two requests.
      const decode = requests.length;
      const disaggregated = play(requests, { prefill, decode, bytesPerSecond: free });
      for (const [i, seconds] of alone.ttftSeconds.entries()) {
        const difference = (disaggregated.ttftSeconds[i] ?? 0) - seconds - hopSeconds - 0.011;
        assert.ok(Math.abs(difference) < 1e-9, `request ${i}: ${difference}`);
      }
    }),
    { numRuns: 40 },
  );
});

test('a faster link delays no request where engines decode one request each', () => {
  fc.assert(
    fc.property(traffic, fc.integer({ min: 1, max: 3 }), (items, prefill) => {
      const requests = requestsOf(items);
      const decode = requests.length;
      const at = (bytesPerSecond: number) =>
        play(requests, { prefill, decode, bytesPerSecond }).ttftSeconds;
      const [slow, fast, fastest] = [at(1e5), at(2e5), at(free)];
      for (const [i, seconds] of slow.entries()) {
        assert.ok((fast[i] ?? 0) <= seconds + 1e-9);
        assert.ok((fastest[i] ?? 0) <= (fast[i] ?? 0) + 1e-9);
      }
    }),
    { numRuns: 30 },
  );
});

test('every request is served exactly once, and equal seeds give equal runs', () => {
  fc.assert(
    fc.property(
      traffic,
      fc.constantFrom(1e5, 1e7, free),
      fc.constantFrom('roundrobin', 'predictive', 'leastloaded', 'prefixaware', 'kvaware'),
      (items, bytesPerSecond, policy) => {
        const requests = requestsOf(items);
        const more = { decodePolicy: policy };
        const layout = { prefill: 2, decode: 2, bytesPerSecond, more };
        const result = play(requests, layout, { policy });
        assert.deepEqual(result.tokenSeconds, play(requests, layout, { policy }).tokenSeconds);
        for (const [i, { outputTokens }] of requests.entries()) {
          assert.equal(result.tokenSeconds[i]?.length, outputTokens);
          assert.ok((result.engineOf[i] ?? 0) >= 2);
          assert.ok((result.handoffs?.prefillEngineOf[i] ?? 9) < 2);
        }
        const done = result.engines.map((one) => one.requests).reduce((sum, n) => sum + n, 0);
        assert.equal(done, 2 * requests.length);
      },
    ),
    { numRuns: 30 },
  );
});

test('blocks that the decode engine has cached are not read again', () => {
  const requests = [0, 1].map((i) => request(i, { prompt: 200, family: 7 }));
  const { handoffs, engines } = play(requests, { prefill: 1, decode: 1, bytesPerSecond: 1e6 });
  assert.deepEqual([...(handoffs?.transferBytes ?? [])], [13_000, 1000]);
  assert.equal(engines[1]?.cachedTokens, 12 * blockSize);
});

test('the prefill engine keeps blocks until they are read, and its next prompt waits for them', () => {
  const small = { config: { ...config, numGpuBlocks: 10, maxModelLen: 128 }, cost };
  const requests = [0, 1].map((i) => request(i, { at: 0 }));
  const { handoffs, ttftSeconds } = simulateFleet({
    ...{ requests, engines: [small, engine], policy: 'roundrobin', networkSeconds },
    traceBlockTokens: blockSize,
    disaggregation: disaggregation({ prefill: 1, decode: 1, bytesPerSecond: 1e4 }),
  });
  // The first prompt's 7 blocks of 9 are read for 0.7 s; only then is there room for the second.
  const first = 0.1 + hopSeconds + 0.7;
  assert.ok(Math.abs((handoffs?.prefillSeconds[1] ?? 0) - (first + 0.1)) < 1e-9);
  assert.ok((ttftSeconds[1] ?? 0) > (ttftSeconds[0] ?? 0) + 0.7);
});

test('prompts with few uncached tokens are prefilled on the decode engine, if the values say so', () => {
  const requests = [request(0, { prompt: 15 }), request(1, { prompt: 100 })];
  const more = { remotePrefillTokensMin: 16 };
  const { handoffs, engines } = play(requests, {
    ...{ prefill: 1, decode: 1, bytesPerSecond: 1e6, more },
  });
  assert.equal(handoffs?.skipped, 1);
  assert.deepEqual([...(handoffs?.prefillEngineOf ?? [])], [-1, 0]);
  assert.deepEqual(
    engines.map(({ computedTokens }) => computedTokens),
    [100, 15],
  );
});

/** One prompt, read from 0.102 to 0.802 s; something dies at 0.5 s. */
function dying(
  failure: Partial<EngineFailure>,
  layout: Partial<Layout>,
  more: Partial<Disaggregation>,
) {
  return play(
    [request(0)],
    { prefill: 1, decode: 1, bytesPerSecond: 1e4, ...layout, more },
    { failures: [{ engine: 0, atSeconds: 0.5, seconds: free, ...failure }] },
  );
}

test('if the engine with the prompt dies during the read, the request fails or is recomputed', () => {
  const failed = dying({}, {}, { loadFailure: 'fail' });
  assert.deepEqual([[...failed.failed], failed.handoffs?.lost], [[1], 1]);
  const computed = dying({}, {}, { loadFailure: 'recompute' });
  assert.deepEqual([[...computed.failed], computed.handoffs?.lost], [[0], 1]);
  // At once, on the engine that was reading: 100 tokens, and the way back.
  const expected = 0.5 + 0.1 + networkSeconds;
  assert.ok(Math.abs((computed.ttftSeconds[0] ?? 0) - expected) < 1e-9);
  assert.deepEqual(
    computed.engines.map(({ computedTokens }) => computedTokens),
    [100, 100],
  );
});

test('if it fails while its response is in transit, the same happens', () => {
  const during = { atSeconds: 0.101 };
  assert.deepEqual([...dying(during, {}, { loadFailure: 'fail' }).failed], [1]);
  const computed = dying(during, {}, { loadFailure: 'recompute' });
  assert.ok(Math.abs((computed.ttftSeconds[0] ?? 0) - (0.1 + hopSeconds + 0.101)) < 1e-9);
});

test('if it dies during a prefill, another engine prefills', () => {
  const { failed, retries, handoffs } = dying({ atSeconds: 0.05 }, { prefill: 2 }, {});
  assert.deepEqual([[...failed], retries], [[0], 1]);
  assert.equal(handoffs?.prefillEngineOf[0], 1);
});

test('if the decode engine dies, another one reads the same blocks; without another the request is lost', () => {
  const { failed, handoffs, engineOf, engines } = dying({ engine: 1 }, { decode: 2 }, {});
  assert.deepEqual([[...failed], engineOf[0], engines[0]?.requests], [[0], 2, 1]);
  // From the start: 0.5 to 1.2 s.
  assert.ok(Math.abs((handoffs?.transferSeconds[0] ?? 0) - 0.7) < 1e-9);
  assert.deepEqual([...dying({ engine: 1 }, {}, {}).failed], [1]);
});

test('after any failures the run ends, and each request is completed or counted as failed', () => {
  fc.assert(
    fc.property(
      traffic,
      fc.array(fc.record({ engine: fc.nat(3), at: fc.nat(3000), long: fc.nat(2000) }), {
        maxLength: 4,
      }),
      fc.constantFrom('fail' as const, 'recompute' as const),
      fc.constantFrom(0, 200),
      (items, deaths, loadFailure, remotePrefillTokensMin) => {
        const requests = requestsOf(items);
        const more = { loadFailure, remotePrefillTokensMin };
        const failures = deaths.map(({ engine: index, at, long }) => ({
          ...{ engine: index, atSeconds: at / 1000, seconds: (long + 1) / 1000 },
        }));
        const layout = { prefill: 2, decode: 2, bytesPerSecond: 1e5, more };
        const { failed, tokenSeconds, e2eSeconds } = play(requests, layout, { failures });
        for (const [i, { outputTokens }] of requests.entries()) {
          if (failed[i] === 1) assert.ok(Number.isNaN(e2eSeconds[i]));
          else assert.equal(tokenSeconds[i]?.length, outputTokens);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('a fleet without one of the two roles, or with two block sizes, is refused', () => {
  const layout = { prefill: 2, decode: 0, bytesPerSecond: 1 };
  assert.throws(() => play([request(0)], layout), /need engines and links of both roles/);
  const links = [16, 32].map((size) => ({ bytesPerSecond: 1, blockBytes: 1, blockSize: size }));
  const mixed = { prefill: 1, decode: 1, bytesPerSecond: 1, more: { links } };
  assert.throws(() => play([request(0)], mixed), /blocks of one size/);
});
