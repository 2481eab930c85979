import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClaimRun } from './claims.ts';
import { claimRows, claimsText } from './claims-report.ts';

/** Runs of both sides of a shape, one per gain; TTFT without sharing is 1,000 ms. */
function runsOf(shape: ClaimRun['shape'], gains: readonly number[]): ClaimRun[] {
  return gains.flatMap((gain, seed) =>
    [false, true].map((shares) => ({
      ...{ shape, shares, seed, failed: shares ? 1 : 0 },
      figures: {
        ttftMs: shares ? 1000 / gain : 1000,
        e2eMs: 500,
        tokensPerSecond: shares ? 300 : 100,
      },
    })),
  );
}

const verdicts = (gains: readonly number[]) =>
  claimRows(runsOf('rag', gains)).map(({ measure, claimed, verdict }) => [
    measure,
    claimed[0],
    verdict,
  ]);

test('a claim is true, open or not by the interval of the gain', () => {
  assert.deepEqual(verdicts([4, 4.1, 3.9]), [
    ['ttftMs', 3, 'true'],
    ['e2eMs', 3, 'not true'],
    ['tokensPerSecond', 2, 'true'],
    ['ttftMs', 10, 'not true'],
    ['e2eMs', 10, 'not true'],
  ]);
  assert.deepEqual(verdicts([2, 4, 3])[0], ['ttftMs', 3, 'open']);
});

test('gains are means over the seeds that both sides have; one seed has no interval', () => {
  const [row] = claimRows(runsOf('multi-round-qa', [2, 8]));
  assert.ok(Math.abs((row?.gain ?? 0) - 4) < 1e-9, 'geometric');
  assert.deepEqual([row?.without, row?.with], [1000, (500 + 125) / 2]);
  const [first, ...rest] = runsOf('rag', [5, 7]);
  assert.equal(claimRows([first as ClaimRun]).length, 0);
  const [single] = claimRows([first as ClaimRun, ...rest.slice(0, 2)]);
  assert.deepEqual([single?.gain, single?.interval], [5, null]);
});

test('the table has each claim once, and says what failed', () => {
  const text = claimsText([...runsOf('rag', [5]), ...runsOf('multi-round-qa', [12])]);
  assert.equal(text.split('Responses come 3 to 10 times as fast').length, 2);
  assert.match(text, /^ +rag +TTFT, ms +3 to 10 × +1000 +200 +5\.00 × +true$/m);
  assert.match(text, /multi-round-qa +TTFT, ms +10 × +1000 +83 +12 × +true$/m);
  assert.match(text, /^WARNING {2}2 requests failed/m);
});
