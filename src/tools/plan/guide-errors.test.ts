// The guide of plans names the errors that its simulations draw.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pointErrors } from '../../core/engine/index.ts';

test('the guide lists the errors of dense models that plans draw', () => {
  const guide = readFileSync(
    join(import.meta.dirname, '../../../docs/guide/plan/README.md'),
    'utf8',
  );
  const listed = /at most (.*) and (.*) of the predicted TTFT, and (.*) and (.*) of the TPOT/.exec(
    guide,
  );
  const drawn = ({ tpot, ttft }: (typeof pointErrors)['dense']) =>
    [ttft, tpot].flatMap((errors) => {
      const texts = errors.slice(1, -1).map((error) => error.toFixed(2));
      return [texts.slice(0, -1).join(', '), texts.at(-1)];
    });
  assert.deepEqual(listed?.slice(1), drawn(pointErrors.dense));
});
