import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { initialView, type LiveView, pressKey, sorts } from './live-view.ts';
import { parseKeys } from './terminal-keys.ts';

const names = ['a', 'b', 'c'];

/** The view after these keys, as a terminal sends them. */
function after(data: string, list: readonly string[] = names): LiveView {
  return parseKeys(data).reduce((view, key) => pressKey(view, key, list).view, initialView);
}

test('arrows and letters select an engine, and stop at both ends', () => {
  const selected = (data: string) => after(data).selected;
  assert.equal(selected(''), undefined);
  assert.equal(selected('j'), 'a');
  assert.equal(selected('\x1b[B\x1b[B'), 'b');
  assert.equal(selected('jjjjj'), 'c');
  assert.equal(selected('k'), 'c');
  assert.equal(selected('jjk'), 'a');
  assert.equal(selected('\x1b[Ak\x1bOA'), 'a');
  assert.equal(selected('\x1b[F'), 'c');
  assert.equal(selected('\x1b[F\x1b[H'), 'a');
  assert.equal(selected('\x1b[6~'), 'c');
  assert.equal(selected('\x1b[5~'), 'c');
  assert.equal(selected('j\x1b'), undefined);
  assert.equal(after('jjj\r', []).selected, undefined);
});

test('pages are ten engines long, and the selection stays where the list ends', () => {
  const many = Array.from({ length: 30 }, (_, i) => `e${i}`);
  const selected = (data: string) => after(data, many).selected;
  const [pageUp, pageDown] = ['\x1b[5~', '\x1b[6~'];
  assert.equal(selected(pageDown), 'e9');
  assert.equal(selected(`j${pageDown}`), 'e10');
  assert.equal(selected(`j${pageDown}${pageDown}${pageUp}`), 'e10');
  assert.equal(selected(`jjj${pageUp}`), 'e0');
  assert.equal(selected(`j${pageUp}`), 'e0', 'and stays there');
  assert.equal(selected(pageUp), 'e29');
  assert.equal(selected('jjjk'), 'e1');
  assert.equal(selected('jk'), 'e0', 'up from the first stays there');
  assert.equal(after('j', ['only']).selected, 'only');
});

test('Enter shows an engine, Escape the list, and arrows go from engine to engine', () => {
  assert.deepEqual(
    ['\r', 'jj\r', '\r\x1b', '\r\x1b[B', '\r\x1b[D'].map((data) => {
      const { panel, selected } = after(data);
      return [panel, selected];
    }),
    [
      ['engine', 'a'],
      ['engine', 'b'],
      ['list', 'a'],
      ['engine', 'b'],
      ['list', 'a'],
    ],
  );
  assert.deepEqual(
    ['\r', '\r2', '\r3', '\r\t', '\r\t\t\t', '2\r'].map((data) => after(data).tab),
    ['log', 'requests', 'picks', 'requests', 'log', 'log'],
  );
});

test('s and S go through the orders, r reverses', () => {
  assert.deepEqual(
    sorts.map((_, i) => after('s'.repeat(i)).sort),
    sorts,
  );
  assert.equal(after('s'.repeat(sorts.length)).sort, 'listed');
  assert.equal(after('S').sort, sorts.at(-1));
  assert.equal(after('r').isReversed, true);
  assert.equal(after('\rs').sort, 'listed');
});

test('any key closes the help and returns to the panel where it was opened', () => {
  assert.equal(after('?').panel, 'help');
  assert.equal(after('??').panel, 'list');
  assert.equal(after('\r?').panel, 'help');
  assert.equal(after('\r?x').panel, 'engine');
  assert.equal(after('?j').selected, undefined);
});

test('q and Ctrl-C stop, o opens the page, l shows logs, in every panel', () => {
  for (const before of ['', '\r', '?']) {
    const view = after(before);
    const command = (data: string) =>
      parseKeys(data).map((key) => pressKey(view, key, names).command);
    assert.deepEqual(command('q\x03o'), ['quit', 'quit', 'open-page']);
    assert.equal(after(`${before}l`).showsLogs, true);
  }
});

test('keys are read from a terminal’s bytes, and unknown sequences are ignored', () => {
  assert.deepEqual(parseKeys('aB?'), ['char:a', 'char:B', 'char:?']);
  assert.deepEqual(parseKeys(' '), ['char: ']);
  assert.deepEqual(parseKeys('\x1b[A\x1bOB\x1b[C\x1b[D\r\n\t\x7f\x03'), [
    ...['up', 'down', 'right', 'left', 'enter', 'enter', 'tab', 'escape', 'ctrl-c'],
  ]);
  assert.deepEqual(parseKeys('\x1b'), ['escape']);
  assert.deepEqual(parseKeys('\x1b[1;5Cj\x1b[15~\x1bOPk\x01'), ['char:j', 'char:k']);
});

test('after any keys, the selection is an engine of the list or none', () => {
  const typed = fc.array(
    fc.constantFrom(...'jkqos?lrS123\r\t\x1b', '\x1b[A', '\x1b[B', '\x1b[H', '\x1b[F', '\x1b[5~'),
  );
  fc.assert(
    fc.property(typed, fc.subarray(names), (keys, list) => {
      let view = initialView;
      for (const data of keys) {
        for (const key of parseKeys(data)) view = pressKey(view, key, list).view;
        assert.ok(view.selected === undefined || list.includes(view.selected));
        assert.ok(view.panel !== 'engine' || view.selected !== undefined);
      }
    }),
  );
});
