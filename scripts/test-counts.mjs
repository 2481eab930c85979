// A test reporter that prints one line at the end: how many tests passed, failed and were skipped.
// Node's dot reporter, which the unit tests use, prints none.
export default async function* counts(events) {
  const tally = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of events) {
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details?.type === 'suite') continue;
    if (data.skip !== undefined) tally.skipped++;
    else if (type === 'test:pass') tally.passed++;
    else tally.failed++;
  }
  yield `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped\n`;
}
