// Whether a stack's clients see the views of its router.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveValues } from '../../core/values/index.ts';
import { routerSight } from './router-sight.ts';

function sightOf(routerSpec: object, environment: Record<string, string> = {}) {
  const text = JSON.stringify({ routerSpec });
  return routerSight(resolveValues({ files: [{ name: 'f', text }] }).values, environment);
}

test('without a key, the router decides, and its views are open', () => {
  const open = { flags: [], isHidden: false };
  assert.deepEqual(sightOf({}), open);
  assert.deepEqual(sightOf({ host: '0.0.0.0', pickHeader: false }), open);
});

test('with a key, this machine sees the views, and other machines do not', () => {
  const shown = { flags: ['--pick-header'], isHidden: false };
  assert.deepEqual(sightOf({ apiKey: 'k' }), shown);
  assert.deepEqual(sightOf({}, { SPILLWAY_ROUTER_API_KEY: 'k' }), shown);
  assert.deepEqual(sightOf({ extraArgs: ['--api-key-file', 'keys'] }), shown);
  assert.deepEqual(sightOf({ apiKey: 'k', host: '0.0.0.0' }), { flags: [], isHidden: true });
});

test('what the values say counts, and of the arguments the last one', () => {
  const keyed = { apiKey: 'k', host: '0.0.0.0' };
  assert.equal(sightOf({ ...keyed, pickHeader: true }).isHidden, false);
  assert.equal(sightOf({ apiKey: 'k', pickHeader: false }).isHidden, true);
  const args = ['--no-pick-header', '--pick-header'];
  assert.deepEqual(sightOf({ ...keyed, pickHeader: false, extraArgs: args }), {
    ...{ flags: [], isHidden: false },
  });
});
