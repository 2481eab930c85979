import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command, InvalidArgumentError } from 'commander';
import fc from 'fast-check';
import { collect, httpUrl, percentiles } from './lists.ts';
import { integer, number, port, portOrAny, positive, positiveInteger, share } from './numbers.ts';
import { byteSize, duration, durationWithUnit, humanCount, memorySize } from './quantities.ts';

function refuses(read: (text: string) => unknown, texts: readonly string[], message: RegExp): void {
  for (const text of texts) {
    assert.throws(
      () => read(text),
      (error) => error instanceof InvalidArgumentError && message.test(error.message),
      `"${text}"`,
    );
  }
}

test('refuses whole numbers out of range, and names the range', () => {
  assert.deepEqual(['1', '1e3', ' 7 '].map(positiveInteger), [1, 1000, 7]);
  refuses(
    positiveInteger,
    ['0', '1.5', '', ' ', 'many', 'NaN', 'Infinity', '9007199254740993'],
    /^It must be a whole number of at least 1\.$/,
  );
  refuses(integer({ min: 1, max: 9 }), ['0', '10'], /^It must be a whole number from 1 to 9\.$/);
  assert.deepEqual([port('8000'), portOrAny('0'), port('65535')], [8000, 0, 65_535]);
  refuses(port, ['0', '65536', '-1'], /from 1 to 65535, such as 8000\.$/);
});

test('numbers and shares may have a fraction', () => {
  assert.deepEqual([positive('0.5'), share('1'), share('0.92')], [0.5, 1, 0.92]);
  refuses(positive, ['0', '-1', '', 'x', 'inf'], /^It must be a number above 0\.$/);
  refuses(
    share,
    ['0', '1.01', '92%'],
    /^It must be a share above 0 and at most 1, such as 0\.92\.$/,
  );
  refuses(number({ max: 5 }), ['6'], /^It must be a number at most 5\.$/);
});

test('reads a plain duration in the unit of its flag, and one with a suffix in that unit', () => {
  const seconds = duration('s');
  assert.deepEqual(
    ['90', '90s', '1.5m', '24h', '7d', '2w', '250ms', '5 m'].map(seconds),
    [90, 90, 90, 86_400, 604_800, 1_209_600, 0.25, 300],
  );
  assert.deepEqual(['1', '90m', '7d'].map(duration('h')), [1, 1.5, 168]);
  assert.deepEqual(['250', '2s', '0.5ms'].map(duration('ms')), [250, 2000, 0.5]);
  refuses(
    seconds,
    ['', 's', '-1s', '0', '5y', '1h30m', '24 hours', 'Infinity'],
    /^It must be a duration such as 24h, 90m or 30s, or a number of seconds above 0\.$/,
  );
  assert.equal(duration('s', { min: 0, max: 10 })('0'), 0);
  refuses(duration('s', { min: 0, max: 10 }), ['11', '1m'], /from 0 to 10/);
  const whole = duration('s', { min: 1, isWhole: true });
  assert.equal(whole('1.5m'), 90);
  refuses(whole, ['1.5', '10ms'], /or a whole number of seconds of at least 1\.$/);
});

test('refuses a duration without a unit if the flag has none', () => {
  assert.deepEqual(['90s', '24h', '7d', '250ms', '1.5 m'].map(durationWithUnit), [
    ...[90, 86_400, 604_800, 0.25, 90],
  ]);
  refuses(
    durationWithUnit,
    ['24', '', '0s', '-1h', '5y', 'h'],
    /^It must be a duration with its unit, such as 24h, 90m or 30s\.$/,
  );
});

test('reads a suffix as its length in seconds', () => {
  const lengths = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.constantFrom('s', 'm', 'h', 'd'),
      (n, unit) => {
        assert.equal(duration('s')(`${n}${unit}`), n * lengths[unit]);
      },
    ),
  );
});

test('reads sizes in bytes, decimal or binary', () => {
  const size = byteSize();
  assert.deepEqual(
    ['65536', '64MiB', '1GB', '1.5kib', '2 kB', '7B'].map(size),
    [65_536, 67_108_864, 1e9, 1536, 2000, 7],
  );
  refuses(
    size,
    ['0', '', 'MiB', '1.5', '1XB', '64M', '-1MB'],
    /^It must be a number of bytes of at least 1, such as 67108864, 64MiB or 1GB\.$/,
  );
});

test('reads counts as vLLM does: K is 1024 and k is 1000', () => {
  assert.deepEqual(
    ['8192', '8K', '8k', '1.5M', '2m'].map(humanCount),
    [8192, 8192, 8000, 1_572_864, 2_000_000],
  );
  refuses(
    humanCount,
    ['0', '1.5', '', 'K', '8KB', '-8K'],
    /such as 8192, 8K \(8192\) or 8k \(8000\)\.$/,
  );
});

test('percentiles, repeated flags and URLs', () => {
  assert.deepEqual(percentiles('50,90,99.9'), [50, 90, 99.9]);
  refuses(percentiles, ['0', '100', '50,', 'p99'], /between 0 and 100, e\.g\. 50,90,99\.$/);
  assert.deepEqual(collect('b', collect('a')), ['a', 'b']);
  assert.equal(httpUrl('https://h:1/v1').hostname, 'h');
  refuses(httpUrl, ['h:1', 'ftp://h', ''], /^It must be an http:\/\/ or https:\/\/ URL/);
});

test('prints an error with the flag, the value, what is allowed and an example', () => {
  let printed = '';
  const command = new Command('c')
    .exitOverride()
    .configureOutput({ writeErr: (text) => (printed += text) })
    .option('--window <duration>', 'how long', duration('s'));
  assert.throws(() => command.parse(['--window', 'long'], { from: 'user' }));
  assert.equal(
    printed,
    "error: option '--window <duration>' argument 'long' is invalid. It must be a duration such as 24h, 90m or 30s, or a number of seconds above 0.\n",
  );
});

test('memory is a size, or a share of what there is', () => {
  const read = memorySize({ min: 1 << 20, bytesThere: 4 * 2 ** 30 });
  assert.equal(read('75%'), 3 * 2 ** 30);
  assert.equal(read('0.001 %'), 1 << 20, 'at least the smallest size');
  assert.equal(read('2GiB'), 2 ** 31);
  for (const text of ['0%', '101%', '-1%', '1KiB']) {
    assert.throws(() => read(text), InvalidArgumentError, text);
  }
});
