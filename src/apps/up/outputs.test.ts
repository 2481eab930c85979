// The output forms of `spillway up`, written to a stream that the tests read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routerView } from '../../../test/support/router-views.ts';
import { JsonOutput } from './json-output.ts';
import { LineWriter } from './line-writer.ts';
import { LiveOutput } from './live-output.ts';
import { PlainOutput, readyLines } from './plain-output.ts';
import type { ProcessSnapshot, StackSnapshot } from './snapshot.ts';

/** A stream that records what is written; tests set `writableLength` and errors. */
class KeptStream {
  writableLength = 0;
  text = '';
  readonly #listeners: (() => void)[] = [];

  write(text: string): boolean {
    this.text += text;
    return true;
  }

  on(_event: string, listener: () => void): this {
    this.#listeners.push(listener);
    return this;
  }

  fail(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Returns what was written since the last call. */
  take(): string {
    const { text } = this;
    this.text = '';
    return text;
  }
}

function writerOn(stream: KeptStream): LineWriter {
  return new LineWriter(stream as unknown as ConstructorParameters<typeof LineWriter>[0]);
}

const engine: ProcessSnapshot = {
  ...{ name: 'a-1', kind: 'embedded', url: 'http://a', model: 'm', state: 'ready', detail: '' },
  ...{ pid: 1, restarts: 0 },
};

const router = routerView({
  ...{ uptimeSeconds: 20, requests: 50, errors: 2, requestsPerSecond: 4.56, inflight: 3 },
});

const ready = {
  ...{ apiUrl: 'http://h/v1', pageUrl: undefined, models: ['m'], curl: 'curl', startSeconds: 1 },
  nodeLines: ['import OpenAI'],
};

test('lines for a slow reader are buffered up to a bound, then dropped and counted', () => {
  const stream = new KeptStream();
  const writer = writerOn(stream);
  stream.writableLength = 1 << 20;
  writer.line('a');
  assert.equal(stream.take(), 'a\n');
  stream.writableLength += 1;
  writer.line('b');
  writer.line('c');
  assert.equal(stream.take(), '');
  stream.writableLength = 0;
  writer.line('d');
  writer.line('e');
  assert.equal(stream.take(), '[2 lines dropped]\nd\ne\n');
  stream.writableLength = 1 << 21;
  writer.line('f');
  stream.writableLength = 0;
  writer.line('g');
  assert.equal(stream.take(), '[1 line dropped]\ng\n');
});

test('nothing is written to a closed reader', () => {
  const stream = new KeptStream();
  const writer = writerOn(stream);
  stream.fail();
  writer.line('a');
  assert.equal(stream.text, '');
});

test('plain lines: the stack’s own lines go to the output, those of children to the log', () => {
  const [out, log] = [new KeptStream(), new KeptStream()];
  const output = new PlainOutput(writerOn(out), writerOn(log));
  output.starting('4 engines');
  output.ready(ready);
  output.stopping('SIGTERM', 'the engines stop');
  output.stopped();
  assert.match(
    out.take(),
    /^4 engines\nready: http:\/\/h\/v1\n\ncurl\n\nimport OpenAI\n\n.*\(SIGTERM\).*\nstopped\n$/,
  );
  output.childLine('a-1', 'hello');
  output.processState(engine);
  output.processState({ ...engine, state: 'restarting', detail: 'killed' });
  assert.equal(log.take(), '[a-1] hello\n[up] a-1 ready\n[up] a-1 restarting: killed\n');
  assert.equal(out.text, '');
  assert.ok(readyLines({ ...ready, pageUrl: 'http://h/' }).includes('page:  http://h/'));
});

test('a stack without a router is ready with the addresses of its engines', () => {
  const engines = [
    { name: 'a', url: 'http://a', model: 'm' },
    { name: 'b', url: 'http://b', model: 'n' },
  ];
  const alone = { ...ready, apiUrl: undefined, engines };
  assert.deepEqual(readyLines(alone).slice(0, 3), [
    'ready: 2 engines without a router',
    'a: http://a/v1',
    'b: http://b/v1',
  ]);
  const out = new KeptStream();
  new JsonOutput(writerOn(out), writerOn(new KeptStream())).ready(alone);
  assert.deepEqual(JSON.parse(out.text), {
    ...{ event: 'ready', url: null, router: false, engines, models: ['m'] },
  });
});

test('plain totals are printed every ten seconds while requests arrive', () => {
  const out = new KeptStream();
  const output = new PlainOutput(writerOn(out), writerOn(new KeptStream()));
  const after = (uptimeSeconds: number, requests: number) => {
    output.snapshot({ processes: [], router: { ...router, uptimeSeconds, requests } });
    return out.take();
  };
  assert.equal(after(9.9, 50), '');
  assert.equal(after(10, 50), 'requests 50, 4.6/s, in flight 3, errors 2\n');
  assert.equal(after(19, 60), '');
  assert.equal(after(30, 50), '', 'nothing new');
  assert.match(after(30, 60), /^requests 60, /);
  output.snapshot({ processes: [], router: undefined });
  assert.equal(out.text, '');
  const idle = new PlainOutput(writerOn(out), writerOn(out));
  idle.snapshot({ processes: [], router: { ...router, requests: 0 } });
  assert.equal(out.text, '');
});

test('JSON lines contain each event with its fields, and no lines of children', () => {
  const [out, log] = [new KeptStream(), new KeptStream()];
  const output = new JsonOutput(writerOn(out), writerOn(log));
  const stack: StackSnapshot = { processes: [engine], router: undefined };
  output.starting('4 engines');
  output.processState(engine);
  output.ready({ ...ready, pageUrl: 'http://h/' });
  output.snapshot(stack);
  output.stopping('q');
  output.stopped();
  output.childLine('a-1', 'hello');
  assert.deepEqual(
    out.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [
      { event: 'starting', summary: '4 engines' },
      { event: 'process', ...engine },
      { event: 'ready', url: 'http://h/v1', page: 'http://h/', models: ['m'] },
      { event: 'snapshot', processes: [engine] },
      { event: 'stopping', reason: 'q' },
      { event: 'stopped' },
    ],
  );
  assert.equal(log.text, '[a-1] hello\n');
});

test('restarts stay above the live view, and children’s lines appear only while logs are shown', () => {
  const stream = new KeptStream();
  const terminal = { columns: 100, rows: 30, write: (text: string) => stream.write(text) };
  const output = new LiveOutput(terminal, { hasColour: false, hasUnicode: true });
  output.childLine('a-1', 'too early');
  output.starting('4 engines');
  assert.match(stream.take(), /4 engines\n$/);
  output.redraw();
  assert.equal(stream.take(), '', 'nothing is printed before the first snapshot');
  output.snapshot({ processes: [engine], router });
  assert.match(
    stream.take(),
    /predictive · 50 requests.*\na-1 .*q quit · .* · l show logs · \? keys\n$/s,
  );
  output.childLine('a-1', 'hidden');
  output.processState({ ...engine, state: 'starting' });
  assert.equal(stream.take(), '');
  output.processState({ ...engine, state: 'restarting', detail: 'killed' });
  assert.match(stream.take(), /a-1 restarting: killed\n.*predictive/s);
  output.press('l');
  assert.match(stream.take(), /l hide logs/);
  output.childLine('a-1', 'shown');
  assert.match(stream.take(), /\[a-1\] shown\n.*predictive/s);
  output.press('l');
  output.childLine('a-1', 'hidden again');
  assert.match(stream.take(), /l show logs · \? keys\n$/);
  output.ready(ready);
  assert.match(stream.take(), /ready: http:\/\/h\/v1\n/);
  output.stopping('SIGINT', 'the engines stop');
  assert.match(stream.take(), /\nstopping: the engines stop; press Ctrl-C again to stop now\n$/);
  output.stopped();
  assert.ok(stream.take().endsWith('stopped\n\x1b[?25h'), 'the cursor is shown again');
});

test('the live view names the keys in characters that the terminal has, and knows the page', () => {
  const stream = new KeptStream();
  const terminal = { columns: 120, rows: 30, write: (text: string) => stream.write(text) };
  const output = new LiveOutput(terminal, { hasColour: false, hasUnicode: false });
  output.snapshot({ processes: [engine], router });
  const footer = () => stream.take().trimEnd().split('\n').at(-1);
  const keys = (sort: string) =>
    `q quit | arrows Enter engine | s sort: ${sort} | o page | l show logs | ? keys`;
  assert.equal(footer(), keys('listed'));
  output.press('r');
  assert.equal(footer(), keys('listed, reversed'));
  const unicode = new LiveOutput(terminal, { hasColour: false, hasUnicode: true });
  unicode.snapshot({ processes: [engine], router });
  assert.match(footer() ?? '', /^q quit · ↑↓ Enter engine · /);
  assert.equal(output.pageUrl, undefined);
  output.ready({ ...ready, pageUrl: 'http://h/' });
  assert.equal(output.pageUrl, 'http://h/');
});

test('keys select an engine, whose details are then shown and kept up to date', () => {
  const stream = new KeptStream();
  const terminal = { columns: 100, rows: 30, write: (text: string) => stream.write(text) };
  const output = new LiveOutput(terminal, { hasColour: false, hasUnicode: true });
  assert.deepEqual(output.press('j'), []);
  output.snapshot({ processes: [engine, { ...engine, name: 'a-2', url: 'http://a2' }], router });
  assert.equal(output.watchedEngine, undefined);
  stream.take();
  output.press('jj\r');
  assert.equal(output.watchedEngine, 'a-2');
  assert.match(stream.take(), /a-2 · http:\/\/a2 .*\[1 log\].*loading\nEsc back/s);
  const none = { requests: [], picks: [], history: undefined };
  output.engineDetails({ name: 'a-2', log: ['model loaded'], ...none });
  assert.match(stream.take(), /\[1 log\].*\nmodel loaded\nEsc back/s);
  output.engineDetails({ name: 'a-1', log: ['of another engine'], ...none });
  assert.doesNotMatch(stream.take(), /of another engine/);
  assert.deepEqual(output.press('o?\x1bq'), ['open-page', 'quit']);
  output.note('opened');
  assert.match(stream.take(), /opened\n.*predictive/s);
});
