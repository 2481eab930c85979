// Reports tests: a dot per test, failures in full, skipped tests with their reason, and the counts.
// The counts also go to the file named by SPILLWAY_TEST_COUNTS, one JSON object per line.
import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';
import { inspect } from 'node:util';

const dotsPerLine = 100;

/** @param {AsyncIterable<{type: string, data: any}>} source Events of node:test. */
export default async function* reporter(source) {
  const failures = [];
  const skipped = [];
  let dots = 0;
  for await (const { type, data } of source) {
    const isTest = (type === 'test:pass' || type === 'test:fail') && data.details?.type !== 'suite';
    if (isTest) {
      if (type === 'test:fail') failures.push(data);
      if (data.skip !== undefined) skipped.push(data);
      yield type === 'test:fail' ? 'F' : data.skip === undefined ? '.' : 's';
      if (++dots % dotsPerLine === 0) yield '\n';
    }
    if (type === 'test:stderr') yield data.message;
    // There is one per file with its name; the one without a name is for the whole run.
    if (type === 'test:summary' && data.file === undefined) {
      yield '\n';
      for (const test of skipped) {
        yield `SKIPPED ${test.name}${typeof test.skip === 'string' ? `: ${test.skip}` : ''}\n`;
      }
      for (const test of failures) yield describeFailure(test);
      const { passed, failed, cancelled, skipped: skippedCount } = data.counts;
      const seconds = (data.duration_ms / 1000).toFixed(1);
      const skippedText = skippedCount > 0 ? `, ${skippedCount} skipped` : '';
      yield `${passed} passed, ${failed + cancelled} failed${skippedText} in ${seconds} s\n`;
      const file = process.env.SPILLWAY_TEST_COUNTS;
      const counts = { passed, failed: failed + cancelled, skipped: skippedCount };
      if (file) appendFileSync(file, `${JSON.stringify(counts)}\n`);
    }
  }
}

function describeFailure(test) {
  const error = test.details?.error?.cause ?? test.details?.error;
  const where = test.file ? ` (${relative(process.cwd(), test.file)}:${test.line})` : '';
  const text = error instanceof Error ? (error.stack ?? error.message) : inspect(error);
  return `\nFAILED ${test.name}${where}\n${text.replace(/^/gm, '  ')}\n`;
}
