import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterArguments, withoutClusterArguments } from './cluster-arguments.ts';

test('arguments that find engines in a cluster are found in each spelling, with their values', () => {
  const words = [
    ...['--log-stats', '--service-discovery', 'k8s', '--k8s_port=8000'],
    ...['--session-key', 'x', '--k8s-label-selector', 'a=b'],
  ];
  assert.deepEqual(
    clusterArguments(words).map(({ index, flag, words: n }) => [index, flag, n]),
    [
      [1, '--service-discovery', 2],
      [3, '--k8s_port', 1],
      [6, '--k8s-label-selector', 2],
    ],
  );
  assert.deepEqual(withoutClusterArguments(words), ['--log-stats', '--session-key', 'x']);
});

test('a flag without its value takes no other flag with it', () => {
  const words = ['--k8s-namespace', '--log-stats'];
  assert.deepEqual(withoutClusterArguments(words), ['--log-stats']);
  assert.deepEqual(withoutClusterArguments(['--k8s-namespace']), []);
});
