import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { type Random, seededRandom } from '../../core/base/index.ts';
import type { RequestRecord } from '../../core/stats/index.ts';
import { runSoak, type SoakOutcome, serverMemory, soakJson, soakTable } from './index.ts';

const windowSeconds = 10;
const perWindow = 150;

interface Server {
  /** Mean time to first token in window n, in seconds. */
  readonly ttft: (window: number) => number;
  readonly failureShare?: (window: number) => number;
  readonly bytes?: (window: number) => number;
}

/** Plays a soak on a virtual clock: each sleep is one window of the server. */
async function soak(
  server: Server,
  windows: number,
  options: { readonly seed?: number; readonly stopAfter?: number } = {},
): Promise<SoakOutcome> {
  const random = seededRandom(options.seed ?? 1);
  const stop = new AbortController();
  let window = 0;
  let report: (record: RequestRecord) => void = () => {};
  let finish = () => {};
  return runSoak(
    { windowSeconds, limits: { ttftMs: 200 }, driftMax: 0.05 },
    {
      clock: { nowSeconds: () => window * windowSeconds },
      signal: stop.signal,
      serverBytes: async () => server.bytes?.(window),
      runLoad: (onRecord) => {
        report = onRecord;
        return new Promise((resolve) => {
          finish = resolve;
          stop.signal.addEventListener('abort', () => resolve());
        });
      },
      sleep: async () => {
        for (let i = 0; i < perWindow; i++) report(recordOf(server, window, random));
        window++;
        if (window === options.stopAfter) stop.abort();
        if (window > windows) {
          finish();
          // The end of the load is noticed before the window ends.
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
    },
  );
}

function recordOf({ ttft, failureShare }: Server, window: number, random: Random): RequestRecord {
  const sentSeconds = window * windowSeconds;
  const first = sentSeconds + ttft(window) * (0.8 + 0.4 * random.next());
  const isFailed = random.next() < (failureShare?.(window) ?? 0);
  return {
    scheduledSeconds: sentSeconds,
    sentSeconds,
    chunkSeconds: isFailed ? [] : [first, first + 0.5],
    promptTokens: 10,
    outputTokens: 11,
    cachedTokens: undefined,
    engine: undefined,
    error: isFailed ? { kind: 'http_503', message: 'busy' } : undefined,
  };
}

describe('a soak', () => {
  it('of a server that stays as it is, is stable', async () => {
    let stable = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const server = { ttft: () => 0.1, bytes: () => 1e9 + seed };
      const { verdict, windows } = await soak(server, 40, { seed });
      assert.equal(windows.length, 40);
      if (verdict === 'stable') stable++;
    }
    assert.ok(stable >= 19, `${stable} of 20`);
  });

  it('finds latencies, failures and memory that grow', async () => {
    for (const [name, server] of [
      ['TTFT p50', { ttft: (window) => 0.1 * (1 + window / 200) }],
      ['failed', { ttft: () => 0.1, failureShare: (window) => window / 300 }],
      ['server memory', { ttft: () => 0.1, bytes: (window) => 1e9 + 1e7 * window }],
    ] as const satisfies readonly (readonly [string, Server])[]) {
      const outcome = await soak(server, 40);
      assert.equal(outcome.verdict, 'drifts', name);
      const drifting = outcome.trends.filter(({ isDrift }) => isDrift).map((trend) => trend.name);
      assert.ok(drifting.includes(name), `${name}: ${drifting}`);
      assert.match(soakTable(outcome), new RegExp(`^Drifts: .*${name}.* got worse`, 'm'));
    }
  });

  it('leaves out the warm-up, and what gets better', async () => {
    const warmup = await soak({ ttft: (window) => (window < 4 ? 1 : 0.1) }, 40);
    assert.deepEqual([warmup.verdict, warmup.warmupWindows], ['stable', 4]);
    const better = await soak({ ttft: (window) => 0.2 - window / 400 }, 40);
    assert.equal(better.verdict, 'stable');
  });

  it('of few windows has no verdict', async () => {
    const outcome = await soak({ ttft: () => 0.1 }, 7);
    assert.equal(outcome.verdict, 'not enough data');
    assert.match(soakTable(outcome), /^Not enough data: 7 complete windows; 9 are needed\./m);
  });

  it('that is stopped keeps its windows', async () => {
    const outcome = await soak({ ttft: () => 0.1 }, 40, { stopAfter: 13 });
    assert.deepEqual([outcome.isPartial, outcome.windows.length], [true, 12]);
    assert.equal(outcome.requests, 13 * perWindow);
    assert.match(
      soakTable(outcome),
      /^Interrupted: 1,950 requests in 12 windows of 10s; 0 failed\.$/m,
    );
  });

  it('counts good responses and failures by window', async () => {
    const outcome = await soak(
      { ttft: (window) => (window < 6 ? 0.1 : 0.9), failureShare: () => 0.1 },
      12,
    );
    const json = soakJson(outcome) as {
      windows: { good: number; failed: number; completed: number }[];
    };
    assert.equal(json.windows[0]?.good, json.windows[0]?.completed);
    assert.equal(json.windows[8]?.good, 0);
    assert.ok(json.windows.every(({ completed, failed }) => completed + failed === perWindow));
    assert.ok((outcome.errors.get('http_503') ?? 0) > 100);
  });

  it('of a thousand windows shows some of them', async () => {
    const table = soakTable(await soak({ ttft: () => 0.1 }, 100));
    assert.match(table, /of which every 5th is shown/);
    assert.equal(table.match(/^\d+(\.\d)?[smh] /gm)?.length, 20);
  });
});

describe('the memory of a server', () => {
  const serving = async (body: string, status = 200) => {
    const server = createServer((_, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const bytes = await serverMemory(new URL(`http://127.0.0.1:${port}/v1`));
    server.closeAllConnections();
    server.close();
    return bytes;
  };

  it('is that of its metrics page, if it has one', async () => {
    assert.equal(await serving('process_resident_memory_bytes 1.5e9\n'), 1.5e9);
    assert.equal(await serving('up 1\n'), undefined);
    assert.equal(await serving('process_resident_memory_bytes 1\n', 404), undefined);
    assert.equal(await serverMemory(new URL('http://127.0.0.1:1/v1')), undefined);
  });

  it('is not looked for in a page without an end', async () => {
    assert.equal(
      await serving(`process_resident_memory_bytes 7\n${'# x\n'.repeat(5 << 20)}`),
      undefined,
    );
  });
});
