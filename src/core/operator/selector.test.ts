import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesSelector } from './selector.ts';

const labels = { app: 'qwen', model: 'Qwen3-8B', tier: '' };

for (const [selector, isMatched] of [
  ['', true],
  ['app=qwen', true],
  ['app == qwen,model=Qwen3-8B', true],
  ['app=qwen,model=other', false],
  ['app!=qwen', false],
  ['zone!=a', true],
  ['app in (llama, qwen),tier', true],
  ['app notin (llama, qwen)', false],
  ['zone notin (a)', true],
  ['tier', true],
  ['zone', false],
  ['!zone', true],
  ['!app', false],
  ['tier=', true],
] as const) {
  test(`"${selector}" ${isMatched ? 'matches' : 'does not match'}`, () => {
    assert.equal(matchesSelector(labels, selector), isMatched);
  });
}
