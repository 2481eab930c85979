import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { engineView, routerView } from '../../../test/support/router-views.ts';
import type { EngineView, RouterView } from '../../core/views/index.ts';
import { LiveRegion } from './live-region.ts';
import { initialView, keyHelp, type LiveView, sorts } from './live-view.ts';
import type { StackSnapshot } from './snapshot.ts';
import { gauge, styleOf } from './terminal-style.ts';
import { renderTerminalView, shownNames } from './terminal-view.ts';

const plain = { hasColour: false, hasUnicode: true };

test('the view has totals, and each engine’s gauge, queues, hit rate and state', () => {
  assert.deepEqual(render({ columns: 98 }), [
    'predictive · 12.3k requests · 4.5/s · 7 in flight · 1 error · up 1:02:03',
    'engine  HBM blocks     used     blocks  run  wait    hit   TTFT  preempt  state',
    'a-1     ██████▌······   50%  1000/2000    5     2  75.0%  330ms        0  live',
    'a-2     ·············     -          -    -     -      -      -        -  restarting (1 restarts)',
    'a-2: killed by SIGKILL; restarts in 1 s',
    'q quit',
  ]);
});

test('an engine that is not ready shows its process state, and the reason below', () => {
  const lines = render({ columns: 120 });
  assert.match(lines[3] ?? '', /^a-2 .* restarting \(1 restarts\)$/);
  assert.ok(lines.includes('a-2: killed by SIGKILL; restarts in 1 s'));
});

test('lines fit the width and height of every window, however small', () => {
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

/** Renders one engine with these figures, in a window of the given width. */
function renderEngine(
  reported: Partial<NonNullable<EngineView['reported']>>,
  {
    columns = 100,
    state = 'live',
    ...router
  }: Partial<RouterView> & {
    readonly columns?: number;
    readonly state?: EngineView['state'];
  } = {},
): string[] {
  const [engine] = stack.router?.engines ?? [];
  assert.ok(engine?.reported && stack.router);
  const engines = [{ ...engine, state, reported: { ...engine.reported, ...reported } }];
  const [first] = stack.processes;
  return renderTerminalView(
    { processes: first ? [first] : [], router: { ...stack.router, ...router, engines } },
    { columns, rows: 30, style: { ...plain, hasColour: true }, footer: '' },
  );
}

test('problems are coloured: a full cache, a queue, preemptions, a state', () => {
  /** The colour code of the first cell with a text. */
  const toneOf = (
    text: string,
    reported: Parameters<typeof renderEngine>[0],
    state: EngineView['state'] = 'live',
  ) => {
    const [, , line = ''] = renderEngine(reported, { state });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes
    const cells = [...line.matchAll(/(?:\x1b\[(\d+)m)? *([^ \x1b]+)(?:\x1b\[0m)?/g)];
    return cells.find(([, , cell = '']) => cell.startsWith(text))?.[1];
  };
  assert.deepEqual(
    [0.74, 0.75, 0.91, 0.92].map((kvUsage) => toneOf('█', { kvUsage })),
    ['36', '33', '33', '31'],
  );
  assert.equal(toneOf('7', { waiting: 7 }), '33');
  assert.equal(toneOf('0', { waiting: 0, preemptions: 5, running: 7 }), undefined);
  assert.equal(toneOf('1', { waiting: 1, running: 7, blocksTotal: 9, blocksUsed: 9 }), '33');
  assert.equal(toneOf('8', { preemptions: 8 }), '33');
  const oneEach = { preemptions: 1, waiting: 0, running: 7, blocksTotal: 9, blocksUsed: 9 };
  assert.equal(toneOf('1', oneEach), '33');
  assert.equal(toneOf('0', { ...oneEach, preemptions: 0, waiting: 7 }), undefined);
  assert.deepEqual(
    (['live', 'dead', 'draining'] as const).map((state) => toneOf(state, {}, state)),
    ['32', '31', '33'],
  );
  assert.equal(toneOf('-', { running: null }), '2');
});

test('figures that an engine does not report are dashes, and without queries there is no hit rate', () => {
  const text = (reported: Parameters<typeof renderEngine>[0]) =>
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes
    (renderEngine(reported)[2] ?? '').replace(/\x1b\[\d+m/g, '');
  assert.match(text({ prefixCacheQueries: 0 }), / - +330ms +0 +live$/);
  assert.match(text({ prefixCacheHits: null }), / 0\.0% +330ms +0 +live$/);
  assert.match(text({ blocksUsed: null }), / 0\/2000 /);
  assert.match(text({ blocksTotal: null }), / 50% +- /);
});

test('what waits in the router is shown with its priorities, and what it rejected', () => {
  const totals = (queue: RouterView['queue']) =>
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes
    (renderEngine({}, { queue })[0] ?? '').replace(/\x1b\[\d+m/g, '');
  assert.doesNotMatch(totals(null), /queued/);
  const none = { waiting: 0, oldestSeconds: 0, rejected: 0, byPriority: [] };
  assert.match(totals(none), / in flight · 0 queued · 1 error/);
  const [high, low] = [
    { priority: -1, waiting: 2 },
    { priority: 5, waiting: 10 },
  ];
  const waiting = { ...none, waiting: 12, oldestSeconds: 3, rejected: 4, byPriority: [high, low] };
  assert.match(totals(waiting), / · 12 queued \(p-1 2, p5 10\) · 4 rejected · /);
  assert.match(totals({ ...waiting, byPriority: [low] }), / · 12 queued · 4 rejected · /);
  const many = [high, low, { priority: 6, waiting: 1 }, { priority: 7, waiting: 1 }];
  assert.match(totals({ ...waiting, byPriority: many }), /\(p-1 2, p5 10, p6 1, …\)/);
});

test('large counts are abbreviated, and uptime is shown in hours, minutes and seconds', () => {
  const totals = (requests: number, uptimeSeconds = 0) =>
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes
    (renderEngine({}, { requests, uptimeSeconds })[0] ?? '').replace(/\x1b\[\d+m/g, '');
  assert.match(totals(1), / 1 request ·/);
  assert.match(totals(0), / 0 requests/);
  assert.match(totals(9999), / 9999 requests/);
  assert.match(totals(10_000), / 10\.0k requests/);
  assert.match(totals(999_949), / 999\.9k requests/);
  assert.match(totals(999_950), / 1\.00M requests/);
  assert.match(totals(0, 59.9), /up 0:59$/);
  assert.match(totals(0, 60), /up 1:00$/);
  assert.match(totals(1e10), / 10000\.00M requests/);
  assert.match(totals(0, 3599), /up 59:59$/);
  assert.match(totals(0, 7200), /up 2:00:00$/);
  assert.match(totals(0, 36_061), /up 10:01:01$/);
});

test('without a router the first line shows its state', () => {
  const view = (processes: StackSnapshot['processes'], router?: null) =>
    renderTerminalView(
      { processes, router },
      { columns: 80, rows: 30, style: plain, footer: 'q' },
    )[0];
  assert.equal(view(stack.processes), 'router ready');
  const [first, , router] = stack.processes;
  assert.ok(first && router);
  assert.equal(
    view([
      { ...first, state: 'other' },
      { ...router, state: 'starting' },
    ]),
    'router starting',
  );
  assert.equal(view([]), 'router gone');
  assert.equal(view([], null), 'no router');
});

test('a window too low for all lines shows how many are omitted', () => {
  assert.equal(render({ columns: 92, rows: 7 }).at(-1), 'q quit');
  assert.equal(render({ columns: 92, rows: 7 }).length, 6);
  const lines = render({ columns: 92, rows: 6 });
  assert.equal(lines.length, 5);
  assert.equal(lines.at(-1), '… 1 more lines; q quit');
  assert.deepEqual(render({ columns: 92, rows: 4 }).at(-1), '… 3 more lines; q quit');
  assert.deepEqual(render({ columns: 92, rows: 3 }), render({ columns: 92 }).slice(0, 2));
  assert.equal(render({ columns: 92, rows: 2 }).length, 1);
});

test('the gauge has 8 to 32 cells, and a title that fits', () => {
  const widths = Array.from({ length: 180 }, (_, i) => {
    const [, head = '', line = ''] = render({ columns: 20 + i });
    const cells = /[█-▏·]+/.exec(line)?.[0].length ?? 0;
    assert.equal(head.includes('HBM blocks'), cells >= 10, head);
    return cells;
  });
  assert.deepEqual([Math.min(...widths), Math.max(...widths)], [8, 32]);
});

test('text that is too long for the window ends in an ellipsis', () => {
  const footerIn = (columns: number) =>
    renderTerminalView(
      { processes: [], router: undefined },
      { columns, rows: 30, style: plain, footer: 'press q' },
    ).at(-1);
  // The last column stays empty.
  assert.equal(footerIn(8), 'press q');
  assert.equal(footerIn(7), 'press…');
  assert.equal(footerIn(2), '…');
});

test('an engine that the router does not list is in an unknown state', () => {
  const [first] = stack.processes;
  assert.ok(first && stack.router);
  const lines = renderTerminalView(
    { processes: [first], router: { ...stack.router, engines: [] } },
    { columns: 100, rows: 30, style: plain, footer: '' },
  );
  assert.match(lines[2] ?? '', / unknown$/);
});

test('only processes that restart have their reason below', () => {
  const [first] = stack.processes;
  assert.ok(first);
  const linesOf = (state: string, detail: string) =>
    renderTerminalView(
      { processes: [{ ...first, state, detail }], router: stack.router },
      { columns: 100, rows: 30, style: plain, footer: 'q' },
    ).slice(3);
  assert.deepEqual(linesOf('restarting', 'killed'), ['a-1: killed', 'q']);
  assert.deepEqual(linesOf('restarting', ''), ['q']);
  assert.deepEqual(linesOf('ready', 'listening'), ['q']);
});

test('columns are dropped one by one as the window narrows, and the gauge last', () => {
  const head = (columns: number) => (render({ columns })[1] ?? '').split(/ {2,}/).join(' ');
  const heads = [...new Set(Array.from({ length: 90 }, (_, i) => head(100 - i)))];
  assert.deepEqual(heads, [
    'engine HBM blocks used blocks run wait hit TTFT preempt state',
    'engine HBM used blocks run wait hit TTFT preempt state',
    'engine HBM blocks used run wait hit TTFT preempt state',
    'engine HBM used run wait hit TTFT preempt state',
    'engine HBM blocks used run wait hit TTFT state',
    'engine HBM used run wait hit TTFT state',
    'engine HBM blocks used run wait hit state',
    'engine HBM used run wait hit state',
    'engine HBM blocks run wait hit state',
    'engine HBM run wait hit state',
    'engine HBM blocks run wait state',
    'engine HBM run wait state',
    'engine HBM blocks run state',
    'engine HBM run state',
    'engine HBM blocks state',
    'engine HBM state',
    'engine HBM blocks',
    'engine HBM',
    'a-1',
  ]);
});

test('a terminal has colours by default, and block characters if its locale supports them', () => {
  const style = (environment: Record<string, string>, isTTY = true) =>
    styleOf({ isTTY }, environment);
  assert.equal(style({}).hasColour, true);
  assert.equal(style({}, false).hasColour, false);
  assert.equal(style({ NO_COLOR: '1' }).hasColour, false);
  assert.equal(style({ NO_COLOR: '' }).hasColour, true);
  assert.equal(style({ TERM: 'dumb' }).hasColour, false);
  assert.equal(style({ LANG: 'de_DE.UTF-8' }).hasUnicode, true);
  assert.equal(style({ LC_ALL: 'en_US.utf8', LANG: 'C' }).hasUnicode, true);
  if (globalThis.process.platform === 'linux') {
    assert.equal(style({ LC_ALL: 'C', LANG: 'de_DE.UTF-8' }).hasUnicode, false);
    assert.equal(style({ LC_CTYPE: 'POSIX', LANG: 'de_DE.UTF-8' }).hasUnicode, false);
    assert.equal(style({}).hasUnicode, false);
  }
});

test('a gauge without block characters rounds to whole cells', () => {
  const ascii = { ...plain, hasUnicode: false };
  assert.deepEqual(gauge(0.2, 3, ascii), ['#', '--']);
  assert.deepEqual(gauge(0.1, 3, ascii), ['', '---']);
});

test('a gauge fills in eighths of a cell, and is clamped to full or empty', () => {
  assert.deepEqual(gauge(1 / 32, 4, plain), ['▏', '···']);
  assert.deepEqual(gauge(0.4, 4, plain), ['█▋', '··']);
  assert.deepEqual(gauge(2, 3, plain), ['███', '']);
  assert.deepEqual(gauge(-1, 3, plain), ['', '···']);
  assert.deepEqual(gauge(Number.NaN, 3, plain), ['', '···']);
});

test('a gauge has the requested width and fills with its share', () => {
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

test('the live region redraws itself, and counts the rows that a narrower window wraps', () => {
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

test('permanent lines follow each other, and the region starts anew below them', () => {
  const written: string[] = [];
  const region = new LiveRegion({
    ...{ columns: 10, rows: 5, write: (text: string) => written.push(text) },
  });
  region.draw(['a', 'b']);
  written.length = 0;
  region.print('first');
  region.print('second');
  region.draw(['c']);
  region.end();
  region.draw(['d']);
  assert.deepEqual(written, [
    '\r\x1b[2A\x1b[Jfirst\n',
    '\r\x1b[Jsecond\n',
    '\r\x1b[Jc\n',
    '\x1b[?25h',
    '\r\x1b[Jd\n',
  ]);
});

test('a terminal of unknown size has 80 columns and 24 rows', () => {
  const sizeOf = (size: object) => new LiveRegion({ ...size, write: () => true }).size;
  assert.deepEqual(sizeOf({}), { columns: 80, rows: 24 });
  assert.deepEqual(sizeOf({ columns: 0, rows: 0 }), { columns: 80, rows: 24 });
  assert.deepEqual(sizeOf({ columns: 100, rows: 50 }), { columns: 100, rows: 50 });
});

/** A stack of these engines, all ready. */
function stackOf(engines: readonly EngineView[]): StackSnapshot {
  return {
    processes: engines.map(({ name, url }) => ({ ...process, name, url, state: 'ready' })),
    router: routerView({ engines }),
  };
}

/** The view of these engines in a window of 100 columns and 8 rows. */
function list(engines: readonly EngineView[], view: Partial<LiveView>): string[] {
  return renderTerminalView(stackOf(engines), {
    ...{ columns: 100, rows: 8, style: plain, footer: 'q quit' },
    view: { ...initialView, ...view },
  });
}

test('the selected engine is marked and always visible', () => {
  const engines = Array.from({ length: 20 }, (_, i) => engineView(`a-${i + 1}`));
  for (const { name } of engines) {
    const lines = list(engines, { selected: name });
    const marked = lines.filter((line) => line.startsWith('▸ '));
    assert.equal(marked.length, 1, lines.join('\n'));
    assert.match(marked[0] ?? '', new RegExp(`^▸ ${name} `));
    assert.equal(lines.length, 7);
  }
  for (const { name } of engines) {
    const lines = renderTerminalView(stackOf(engines), {
      ...{ columns: 100, rows: 5, style: plain, footer: 'q' },
      view: { ...initialView, selected: name },
    });
    assert.match(lines[2] ?? '', new RegExp(`^▸ ${name} `));
  }
  assert.match(list(engines, { selected: 'a-20' }).at(-1) ?? '', /^… 16 more lines; q quit$/);
});

test('the list is sorted by any column, and engines without figures come last', () => {
  const engines = [
    engineView('a-10', { reported: { kvUsage: 0.9, running: 1, waiting: 5 } }),
    engineView('a-2', {
      reported: { kvUsage: 0.2, running: 8, prefixCacheQueries: 10, prefixCacheHits: 9 },
      latencies: { ttft: { count: 1, p50: 1, p90: 2, p99: 3 }, tpot: null, e2e: null },
    }),
    engineView('a-3', { state: 'dead', reported: { kvUsage: 1, running: 99, waiting: 99 } }),
  ];
  const stack = stackOf(engines);
  const order = (sort: LiveView['sort'], isReversed = false) =>
    shownNames(stack, { ...initialView, sort, isReversed }).join(' ');
  assert.deepEqual(Object.fromEntries(sorts.map((sort) => [sort, order(sort)])), {
    listed: 'a-10 a-2 a-3',
    name: 'a-2 a-3 a-10',
    used: 'a-10 a-2 a-3',
    running: 'a-2 a-10 a-3',
    waiting: 'a-10 a-2 a-3',
    hits: 'a-2 a-3 a-10',
    ttft: 'a-2 a-3 a-10',
    state: 'a-3 a-2 a-10',
  });
  assert.equal(order('used', true), 'a-3 a-2 a-10');
});

test('engines without a figure come last, wherever they were listed', () => {
  const quantiles = (p90: number) => ({ count: 1, p50: p90, p90, p99: p90 });
  const engine = (name: string, value: number) =>
    engineView(name, {
      reported: {
        ...{ kvUsage: value, running: value, waiting: value },
        ...{ prefixCacheQueries: 1, prefixCacheHits: value },
      },
      latencies: { ttft: quantiles(value), tpot: null, e2e: null },
    });
  const unknown = engineView('a', { state: 'dead' });
  const engines = [engine('m', 0.25), unknown, engine('z', 0.5), engine('b', 0)];
  for (const sort of ['used', 'running', 'waiting', 'hits', 'ttft'] as const) {
    assert.equal(shownNames(stackOf(engines), { ...initialView, sort }).join(' '), 'z m b a', sort);
  }
});

test('a window too narrow for the mark shows names', () => {
  const rowIn = (columns: number) =>
    renderTerminalView(stackOf([engineView('abcdef')]), {
      ...{ columns, rows: 8, style: plain, footer: '' },
      view: { ...initialView, selected: 'abcdef' },
    })[1];
  assert.deepEqual([2, 3, 4, 5, 8, 9].map(rowIn), [
    ...['…', 'a…', '▸ …', '▸ a…', '▸ abcd…', '▸ abcdef'],
  ]);
});

test('a process that restarts is not reported again as a dead engine', () => {
  const processes = [
    { ...process, name: 'a-1', url: 'http://a-1', state: 'restarting', detail: 'killed' },
  ];
  const engines = [engineView('a-1', { state: 'dead', reason: 'connect refused' })];
  const lines = renderTerminalView(
    { processes, router: routerView({ engines }) },
    { columns: 100, rows: 30, style: plain, footer: 'q' },
  );
  assert.deepEqual(lines.slice(3), ['a-1: killed', 'q']);
});

test('a dead engine shows its reason and no figures of its last report', () => {
  const [, , line, reason] = list(
    [
      engineView('a-1', {
        state: 'dead',
        reason: 'connect\x1b[31m refused',
        reported: { running: 7 },
      }),
    ],
    {},
  );
  assert.match(line ?? '', /^a-1 .* - .*dead$/);
  assert.doesNotMatch(line ?? '', /7/);
  assert.equal(reason, 'a-1: connect refused');
});

test('an ejected engine is marked, with its reason below', () => {
  const [, , line, reason] = list(
    [engineView('a-1', { ejected: true, reason: '5 requests in a row failed' })],
    {},
  );
  assert.match(line ?? '', / ejected$/);
  assert.equal(reason, 'a-1: 5 requests in a row failed');
});

test('the totals say that engines are emulated, and count 4xx beside 5xx', () => {
  const totals = (router: Partial<RouterView>) =>
    renderTerminalView(
      { processes: [], router: routerView(router) },
      { columns: 120, rows: 5, style: plain, footer: '' },
    )[0];
  const engines = [engineView('a', { emulated: true }), engineView('b', { emulated: null })];
  assert.match(
    totals({ engines, clientErrors: 3 }) ?? '',
    /^predictive · partly emulated · .* · 3 4xx · 0 5xx · up/,
  );
  assert.match(totals({ clientErrors: 2, serverErrors: 2 }) ?? '', / · 2 4xx · 2 5xx · up/);
  assert.match(
    totals({ engines: engines.slice(0, 1) }) ?? '',
    /^predictive · emulated · .* · 0 errors · up/,
  );
});

test('the help lists every key, and fits', () => {
  const lines = renderTerminalView(stack, {
    ...{ columns: 100, rows: 30, style: { ...plain, hasUnicode: false }, footer: 'q' },
    view: { ...initialView, panel: 'help' },
  });
  assert.equal(lines.length, keyHelp.length + 2);
  assert.equal(lines[1], 'Up Down, j k         select an engine');
  assert.equal(lines[2], 'Home End, PgUp PgDn  the first, the last; ten up, ten down');
  assert.equal(lines.at(-1), 'q');
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
      detail: 'killed by SIGKILL; restarts in 1 s',
      restarts: 1,
    },
    { ...process, name: 'router', kind: 'router', url: 'http://x:3', state: 'ready' },
  ],
  router: routerView({
    ...{ uptimeSeconds: 3723, requests: 12_340, errors: 1, requestsPerSecond: 4.5, inflight: 7 },
    engines: [
      engineView('a-1', {
        url: 'http://x:1',
        latencies: { ttft: { count: 9, p50: 0.1, p90: 0.33, p99: 0.4 }, tpot: null, e2e: null },
        load: { inflight: 7, prefilling: 1, prefillTokens: 100, decodeTokens: 1000 },
        reported: {
          ...{ running: 5, waiting: 2, kvUsage: 0.5, blocksTotal: 2000, blocksUsed: 1000 },
          ...{ prefixCacheQueries: 400, prefixCacheHits: 300 },
        },
      }),
    ],
  }),
};

function render({ columns, rows = 30 }: { columns: number; rows?: number }): string[] {
  return renderTerminalView(stack, { columns, rows, style: plain, footer: 'q quit' });
}
