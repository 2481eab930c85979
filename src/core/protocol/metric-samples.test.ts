import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { metricSamples } from './metric-samples.ts';

test('samples of wanted names have labels and values, whatever else is on the page', () => {
  const page = [
    '# HELP a Something, with a{x="1"} 5 in it.',
    '# TYPE a gauge',
    'a 1',
    'a{x="1",y="two words, a comma"} 2.5 1700000000000',
    'ab{x="1"} 9',
    'a_bucket{le="+Inf"} 4.0',
    'a{x="}"} +Inf',
    'a{x="1"} nonsense',
    'a{x="unfinished',
    'a',
  ].join('\n');
  assert.deepEqual(metricSamples(page, new Set(['a', 'a_bucket'])), [
    { name: 'a', labels: {}, value: 1 },
    { name: 'a', labels: { x: '1', y: 'two words, a comma' }, value: 2.5 },
    { name: 'a_bucket', labels: { le: '+Inf' }, value: 4 },
    { name: 'a', labels: { x: '}' }, value: Number.POSITIVE_INFINITY },
  ]);
});

test('each label value is read as it was written', () => {
  fc.assert(
    fc.property(fc.string(), fc.double({ noNaN: true, min: -1e9, max: 1e9 }), (label, value) => {
      const written = label.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
      const [sample] = metricSamples(`m{a="${written}",b="2"} ${value}\n`, new Set(['m']));
      assert.deepEqual(sample?.labels, { a: label, b: '2' });
      assert.equal(sample?.value, value + 0);
    }),
  );
});
