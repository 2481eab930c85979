// The settings of a router without a dynamic configuration.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../../../io/log/index.ts';
import { baseSettings, openDynamicConfig } from './base-settings.ts';

const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });

test('a router routes by prediction and checks each engine every 5 s, for up to 3 s', () => {
  assert.deepEqual(baseSettings({ port: 0, engines: [], log }), {
    ...{ engines: [], aliases: new Map(), policy: 'predictive', sessionKey: undefined },
    ...{ healthIntervalMs: 5_000, healthTimeoutMs: 3_000 },
  });
});

test('options come before these defaults; a source of engines is no list', () => {
  const engines = [{ url: 'http://a', models: ['m'] }];
  const aliases = new Map([['short', 'm']]);
  const given = {
    ...{ aliases, policy: 'session', sessionKey: 'x-user' },
    ...{ healthIntervalMs: 7, healthTimeoutMs: 8 },
  };
  assert.deepEqual(baseSettings({ port: 0, engines, log, ...given }), { engines, ...given });
  const source = { name: 'test', async *changes() {} };
  assert.equal(baseSettings({ port: 0, engines: source, log }).engines, undefined);
});

test('without a dynamic configuration there is no file, and one that does not exist is an error', async () => {
  const options = { port: 0, engines: [], log };
  assert.equal(openDynamicConfig(options), undefined);
  await assert.rejects(
    async () => openDynamicConfig({ ...options, dynamicConfig: { path: '/nowhere.yaml' } }),
    /\/nowhere\.yaml/,
  );
});
