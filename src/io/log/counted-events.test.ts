import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CountedEvents } from './index.ts';

test('the first event is reported at once, the next ones together after a minute, and nothing without any', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: string[] = [];
  const events = new CountedEvents({
    report: (count, causes) => lines.push(`${count}: ${causes}`),
  });
  events.add('EIO');
  assert.deepEqual(lines.splice(0), ['1: EIO (1)']);
  for (let i = 0; i < 1000; i++) events.add(i % 4 === 0 ? 'EIO' : 'ENOSPC');
  t.mock.timers.tick(59_999);
  assert.deepEqual(lines, []);
  t.mock.timers.tick(1);
  assert.deepEqual(lines.splice(0), ['1000: ENOSPC (750), EIO (250)']);
  t.mock.timers.tick(600_000);
  assert.deepEqual(lines, []);
  events.add('EIO');
  assert.deepEqual(lines, ['1: EIO (1)']);
});

test('causes beyond sixteen are counted together', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: string[] = [];
  const events = new CountedEvents({
    report: (count, causes) => lines.push(`${count}: ${causes}`),
  });
  events.add('first');
  for (let i = 0; i < 1000; i++) events.add(`cause ${i}`);
  events.flush();
  assert.match(lines[1] ?? '', /^1000: other causes \(984\), cause 0 \(1\), /);
  assert.equal(lines[1]?.split(', ').length, 17);
});
