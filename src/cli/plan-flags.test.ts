import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { addPlanFlags, planOverrides } from './plan-flags.ts';

test('a list is separated by commas, or is YAML as in the file', () => {
  for (const text of ['tracing,rate-limits', 'tracing, rate-limits', '[tracing, rate-limits]']) {
    const [override] = planOverrides({ needs: text });
    assert.deepEqual(override?.path, ['operations', 'needs'], text);
    assert.deepEqual(override?.value, ['tracing', 'rate-limits'], text);
  }
  assert.deepEqual(planOverrides({ needs: 'tracing' })[0]?.value, ['tracing']);
});

test('the help names the texts that a flag takes', () => {
  const help = addPlanFlags(new Command('plan')).helpInformation();
  const words = help.replace(/\s+/g, ' ');
  assert.match(
    words,
    /--prefix-reuse <value> What prompts share at their start\. One of: none, system-prompt, /,
  );
  assert.match(words, /--needs <list> .* Comma-separated: autoscaling, /);
});
