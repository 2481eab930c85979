import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatValue, MetricsRegistry } from './index.ts';

test('values have the format of the Python client library', () => {
  const written = [0, 3, 0.25, 123456, 1048576, 1795246928.779, 1e-5, 0.0001, 20000, -5, 1e22];
  assert.deepEqual(written.map(formatValue), [
    '0.0',
    '3.0',
    '0.25',
    '123456.0',
    '1.048576e+06',
    '1.795246928779e+09',
    '1e-05',
    '0.0001',
    '20000.0',
    '-5.0',
    '1e+22',
  ]);
  assert.equal(formatValue(Number.POSITIVE_INFINITY), '+Inf');
});

test('a page has each family with its help, type and series', () => {
  const registry = new MetricsRegistry();
  const answers = registry.counter({ name: 'answers', help: 'Answers.', labels: ['code'] });
  const load = registry.gauge({ name: 'load', help: 'Load.' });
  answers.with({ code: '200' }).inc(2);
  answers.with({ code: 'a"b\\c\n' }).inc();
  registry.onRender(() => load.with().set(0.5));
  assert.equal(
    registry.render(),
    [
      '# HELP answers_total Answers.',
      '# TYPE answers_total counter',
      'answers_total{code="200"} 2.0',
      'answers_total{code="a\\"b\\\\c\\n"} 1.0',
      '# HELP load Load.',
      '# TYPE load gauge',
      'load 0.5',
      '',
    ].join('\n'),
  );
});

test('a histogram has cumulative buckets, count, sum and the time of its creation', () => {
  const registry = new MetricsRegistry({ createdSeconds: 1.5 });
  const wait = registry.histogram({ name: 'wait', help: 'W.', labels: ['model'], bounds: [1, 2] });
  for (const value of [0.5, 1, 1.5, 9]) wait.with({ model: 'm' }).observe(value);
  assert.equal(
    registry.render(),
    [
      '# HELP wait W.',
      '# TYPE wait histogram',
      'wait_bucket{le="1.0",model="m"} 2.0',
      'wait_bucket{le="2.0",model="m"} 3.0',
      'wait_bucket{le="+Inf",model="m"} 4.0',
      'wait_count{model="m"} 4.0',
      'wait_sum{model="m"} 12.0',
      '# HELP wait_created W.',
      '# TYPE wait_created gauge',
      'wait_created{model="m"} 1.5',
      '',
    ].join('\n'),
  );
});

test('a summary has a count and a sum', () => {
  const registry = new MetricsRegistry();
  const size = registry.summary({ name: 'size', help: 'S.', labels: ['handler'] });
  for (const value of [3, 4]) size.with({ handler: '/' }).observe(value);
  assert.equal(
    registry.render(),
    [
      '# HELP size S.',
      '# TYPE size summary',
      'size_count{handler="/"} 2.0',
      'size_sum{handler="/"} 7.0',
      '',
    ].join('\n'),
  );
});

test('beyond its maximum a family counts into one overflow series', () => {
  const registry = new MetricsRegistry();
  const family = registry.counter({ name: 'c', help: 'C.', labels: ['id'], seriesMax: 2 });
  for (const id of ['a', 'b', 'c', 'd']) family.with({ id }).inc();
  assert.match(registry.render(), /c_total\{id="__overflow__"\} 2\.0/);
});

test('a missing label is an error', () => {
  const family = new MetricsRegistry().gauge({ name: 'g', help: 'G.', labels: ['id'] });
  assert.throws(() => family.with({}), /g needs the label "id"/);
});

test('the label of a bucket’s bound is sorted among the other labels', () => {
  const registry = new MetricsRegistry();
  const wait = (name: string, labels: readonly string[]) =>
    registry.histogram({ name, help: 'h', labels, bounds: [1] });
  wait('none', []).with().observe(1);
  wait('two', ['zone', 'a']).with({ zone: 'z"\n', a: '\u0000' }).observe(1);
  const buckets = registry.render().match(/^.*_bucket.*$/gm);
  assert.deepEqual(buckets, [
    'none_bucket{le="1.0"} 1.0',
    'none_bucket{le="+Inf"} 1.0',
    'two_bucket{a="\u0000",le="1.0",zone="z\\"\\n"} 1.0',
    'two_bucket{a="\u0000",le="+Inf",zone="z\\"\\n"} 1.0',
  ]);
});
