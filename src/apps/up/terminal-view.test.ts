import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LiveRegion } from './live-region.ts';
import type { StackSnapshot } from './snapshot.ts';
import { gauge } from './terminal-style.ts';
import { renderTerminalView } from './terminal-view.ts';

const plain = { hasColour: false, hasUnicode: true };

test('the picture has totals, and per engine its gauge, queues, hit rate and state', () => {
  assert.deepEqual(render({ columns: 92 }), [
    'predictive · 12.3k requests · 4.5/s · 7 in flight · 1 errors · up 1:02:03',
    'engine  HBM blocks      used     blocks  run  wait    hit  preempt  state',
    'a-1     ███████·······   50%  1000/2000    5     2  75.0%        0  live',
    'a-2     ··············     -          -    -     -      -        -  restarting (1 restarts)',
    'a-2: killed by SIGKILL; starts again in 1 s',
    'q quit',
  ]);
});

test('an engine that is not ready shows its process state, and the reason below', () => {
  const lines = render({ columns: 120 });
  assert.match(lines[3] ?? '', /^a-2 .* restarting \(1 restarts\)$/);
  assert.ok(lines.includes('a-2: killed by SIGKILL; starts again in 1 s'));
});

test('no window is too small: lines fit its width and height', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 50 }),
      (columns, rows) => {
        const lines = render({ columns, rows });
        assert.ok(lines.length <= Math.max(1, rows - 1), `${lines.length} lines`);
        for (const line of lines) assert.ok(line.length <= Math.max(1, columns - 1), line);
      },
    ),
  );
});

test('narrow windows lose block counts first and keep the gauge', () => {
  const [, head = ''] = render({ columns: 60 });
  assert.doesNotMatch(head, /blocks .*blocks/);
  assert.match(head, /HBM.*run.*wait/);
});

test('a gauge is as wide as asked and fills with its share', () => {
  assert.deepEqual(gauge(0.5, 4, plain), ['██', '··']);
  assert.deepEqual(gauge(0.5, 4, { ...plain, hasUnicode: false }), ['##', '--']);
  fc.assert(
    fc.property(fc.double(), fc.nat(60), (share, width) => {
      const [filled, empty] = gauge(share, width, plain);
      assert.equal(filled.length + empty.length, width);
    }),
  );
});

test('colour codes appear only where colour is on', () => {
  const text = render({ columns: 100 }).join('');
  assert.ok(!text.includes('\x1b'));
  const coloured = renderTerminalView(stack, {
    columns: 100,
    rows: 30,
    style: { ...plain, hasColour: true },
    footer: '',
  });
  assert.ok(coloured.join('').includes('\x1b['));
});

test('the live region draws over itself, and counts the rows that a narrower window wraps', () => {
  const written: string[] = [];
  const stream = { columns: 10, rows: 5, write: (text: string) => written.push(text) };
  const region = new LiveRegion(stream);
  region.draw(['123456789', 'ab']);
  stream.columns = 5;
  region.draw(['x']);
  region.print('kept');
  region.end();
  assert.deepEqual(written, [
    '\x1b[?25l',
    '\r\x1b[J123456789\nab\n',
    '\r\x1b[3A\x1b[Jx\n',
    '\r\x1b[1A\x1b[Jkept\n',
    '\x1b[?25h',
  ]);
});

const process = { kind: 'embedded', model: 'm', detail: '', pid: 1, restarts: 0 } as const;
const stack: StackSnapshot = {
  processes: [
    { ...process, name: 'a-1', url: 'http://x:1', state: 'ready' },
    {
      ...process,
      name: 'a-2',
      url: 'http://x:2',
      state: 'restarting',
      detail: 'killed by SIGKILL; starts again in 1 s',
      restarts: 1,
    },
    { ...process, name: 'router', kind: 'router', url: 'http://x:3', state: 'ready' },
  ],
  router: {
    policy: 'predictive',
    version: '0.1.0',
    uptimeSeconds: 3723,
    requests: 12_340,
    errors: 1,
    requestsPerSecond: 4.5,
    inflight: 7,
    engines: [
      {
        engine_id: 'a-1',
        url: 'http://x:1',
        serving_models: ['m'],
        state: 'live',
        reason: '',
        load: { inflight: 7, prefilling: 1, prefillTokens: 100, decodeTokens: 1000 },
        reported: {
          ageSeconds: 0.5,
          running: 5,
          waiting: 2,
          kvUsage: 0.5,
          blocksTotal: 2000,
          blocksUsed: 1000,
          prefixCacheQueries: 400,
          prefixCacheHits: 300,
          preemptions: 0,
          promptTokens: null,
          generationTokens: null,
        },
        totals: { requests: 10, errors: 0, retries: 0 },
      },
    ],
  },
};

function render({ columns, rows = 30 }: { columns: number; rows?: number }): string[] {
  return renderTerminalView(stack, { columns, rows, style: plain, footer: 'q quit' });
}
