// Each parser gets valid input, and for a minute input that is nearly valid. FUZZ_SEED plays other cases.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pauseMsMax, runCampaign } from './campaign.ts';
import { targets } from './targets.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 60);
/** The same cases in every run, so that a failure is of the change, not of chance; run.ts looks for new ones. */
const seed = Number(process.env['FUZZ_SEED'] ?? 7);
/** With a bound, a seed has the same cases on every machine that gets as far in the time. */
const cases = Number(process.env['FUZZ_CASES'] ?? 500_000);
/** What the heap may grow after the first 100,000 cases. */
const heapGrowthMiBMax = 16;

for (const { name, seeds, run, isRefusal } of targets) {
  // Some seeds are inputs that the parser refuses, as those that once got through.
  test(`the corpus of "${name}" is accepted, or refused in the parser's own way`, async () => {
    let accepted = 0;
    for (const bytes of seeds) {
      try {
        await run(bytes);
        accepted += 1;
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    }
    assert.ok(accepted > 0);
  });
}

test(`no parser fails, pauses for ${pauseMsMax} ms or keeps memory in ${seconds} s of changed input`, async () => {
  process.stderr.write(`seed ${seed}; replay with FUZZ_SEED=${seed}\n`);
  const {
    findings,
    heapMiB,
    cases: done,
  } = await runCampaign({ seed, cases, secondsMax: seconds });
  process.stderr.write(`${done} cases over ${targets.length} parsers\n`);
  assert.deepEqual(
    findings.map(({ target, number, what }) => `${target}, case ${number}: ${what}`),
    [],
  );
  const growth = (heapMiB.at(-1) ?? 0) - (heapMiB[0] ?? 0);
  assert.ok(growth < heapGrowthMiBMax, `the heap grew by ${growth} MiB: ${heapMiB}`);
});
