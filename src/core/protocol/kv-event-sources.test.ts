import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kvEventEndpoints } from './kv-event-sources.ts';

const config = {
  enable_kv_cache_events: true,
  publisher: 'zmq',
  endpoint: 'tcp://*:5557',
  replay_endpoint: 'tcp://*:5558',
  topic: 'kv@a@m',
};

test('a star in an endpoint is replaced by the host of the request', () => {
  assert.deepEqual(
    kvEventEndpoints({ '0': config, '1': { ...config, replay_endpoint: null } }, 'h'),
    [
      { rank: 0, endpoint: 'tcp://h:5557', replayEndpoint: 'tcp://h:5558', topic: 'kv@a@m' },
      { rank: 1, endpoint: 'tcp://h:5557', replayEndpoint: undefined, topic: 'kv@a@m' },
    ],
  );
  const resolved = { ...config, endpoint: 'tcp://10.0.0.7:9', replay_endpoint: 'tcp://[::]:8' };
  const [source] = kvEventEndpoints({ '0': resolved }, '[::1]');
  assert.deepEqual(
    [source?.endpoint, source?.replayEndpoint],
    ['tcp://10.0.0.7:9', 'tcp://[::1]:8'],
  );
});

test('an engine without events, or a different response, has no sources', () => {
  const silent = { ...config, publisher: 'null' };
  for (const answer of [{}, null, [], 'x', { '0': silent }, { '0': 3 }, { detail: 'Not Found' }]) {
    assert.deepEqual(kvEventEndpoints(answer, 'h'), []);
  }
});
