import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveValues, type Values } from '../values/index.ts';
import { engineEnvironment } from './engine-environment.ts';
import { keysInEnvironment } from './keys-in-environment.ts';
import { routerEnvironment } from './router-environment.ts';
import { routerFlags } from './router-flags.ts';

function valuesOf(text: string): Values {
  return keysInEnvironment(resolveValues({ files: [{ name: 'f', text }] }).values);
}

const withRouter = (args: readonly string[]) =>
  valuesOf(JSON.stringify({ routerSpec: { extraArgs: args } })).routerSpec;

/** @param entries Arguments of each engine. */
function withEngines(entries: readonly object[]) {
  const modelSpec = entries.map((entry, i) => ({ name: `e${i}`, modelURL: 'm', ...entry }));
  return valuesOf(JSON.stringify({ servingEngineSpec: { modelSpec } })).servingEngineSpec;
}

const keyed = (...extraArgs: string[]) => ({ vllmConfig: { extraArgs } });

test('a key among the arguments of the router goes to its environment, the last one if there are several', () => {
  for (const args of [
    ['--api-key', 'k', '--verbose'],
    ['--verbose', '--api-key=k'],
    ['--api_key', 'no', '--verbose', '--api-key', 'k'],
  ]) {
    const { extraArgs, apiKey } = withRouter(args);
    assert.deepEqual([extraArgs, apiKey], [['--verbose'], 'k']);
  }
  const beside = ['--api-key-file', 'keys', '--api-key', 'k'];
  assert.deepEqual(withRouter(beside).extraArgs, beside, 'the file would take its place');
  assert.deepEqual(withRouter(['--api-key']).extraArgs, ['--api-key'], 'its error is the router’s');
});

test('an embedded engine gets its key in its environment, and the router learns the key that all engines have', () => {
  const spec = withEngines([
    keyed('--api-key', 'k', '--seed', '1'),
    { urls: ['http://ann:pass@gateway'] },
    { ...keyed('--api-key=k'), kind: 'vllm' },
  ]);
  const [embedded, , vllm] = spec.modelSpec;
  assert.deepEqual(embedded?.vllmConfig?.extraArgs, ['--seed', '1']);
  assert.deepEqual(vllm?.vllmConfig?.extraArgs, ['--api-key=k'], 'its command may be a container');
  assert.equal(spec.vllmApiKey, 'k');
  const values = valuesOf('{}');
  const environment = engineEnvironment(values, embedded as never, {});
  assert.equal(environment['VLLM_API_KEY'], 'k');
});

test('no engine gets the key of another one from the router', () => {
  for (const other of [keyed('--api-key', 'l'), keyed(), { urls: ['http://gateway'] }]) {
    const { vllmApiKey } = withEngines([keyed('--api-key', 'k'), other]);
    assert.notEqual(vllmApiKey, 'k');
  }
  const several = ['--api-key', 'k', 'l'];
  assert.deepEqual(withEngines([keyed(...several)]).modelSpec[0]?.vllmConfig?.extraArgs, several);
});

test('URLs with a user and a password are in the environment of the router, and not among its flags', () => {
  const values = valuesOf('{}');
  const backends = [
    { name: 'a', url: 'http://a', model: 'm' },
    { name: 'b', url: 'http://b', given: 'http://ann:pa,ss@b/v1', model: 'm' },
    { name: 'c', url: 'http://c', given: 'http://c/v1', model: 'm' },
  ];
  const flags = routerFlags(values, backends);
  assert.equal(flags[flags.indexOf('--static-backends') + 1], 'http://a,http://b/v1,http://c/v1');
  const { SPILLWAY_ENGINE_URLS } = routerEnvironment(values, backends);
  assert.equal(SPILLWAY_ENGINE_URLS, 'http://ann:pa%2Css@b/v1');
  assert.deepEqual(routerEnvironment(values, backends.slice(0, 1)), {});
});
