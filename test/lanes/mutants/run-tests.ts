// Runs test files in this one process and ends at the first failure: status 0 if all pass.
// A separate process, because a mutant may cause an endless loop.
//
//   node test/lanes/mutants/run-tests.ts FILE…
import { resolve } from 'node:path';
import { run } from 'node:test';

const files = process.argv.slice(2).map((file) => resolve(file));
// A failed test with a socket open must not keep the process alive.
const events = run({ files, isolation: 'none', forceExit: true });

events.on('test:fail', ({ name, todo }) => {
  if (todo !== undefined) return;
  process.stdout.write(`failed: ${name}\n`);
  process.exit(1);
});
events.on('test:summary', ({ counts, success, file }) => {
  if (file !== undefined) return;
  process.exit(success && counts.tests > 0 ? 0 : 1);
});
