// Text becomes part of another language only by the functions of core/quoting, which are tested with that language's own parser.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');
const sources = globSync('src/**/*.ts', { cwd: root }).filter(
  (file) => !file.endsWith('.test.ts') && !file.startsWith('src/core/quoting/'),
);

/** Where other functions quote, and why. */
const apart: Readonly<Record<string, string>> = {
  'src/core/metrics/family.ts': 'pages of metrics, whose escapes are not those of PromQL',
  'src/core/metrics/text.ts': 'pages of metrics: trace ids, which are hexadecimal',
  'src/tools/gate/read-series.ts': 'names of metrics from the tables of the program',
};

for (const [what, pattern, isPart] of [
  ['a quoted word of a shell', /replaceAll\("'"/, () => true],
  [
    'a label matcher of PromQL',
    /[a-z_]=~?"\$\{/,
    // Other files write HTML with it.
    (file: string) => !/\/(report|rule-cases|rules\/router-rules)/.test(file),
  ],
] as const) {
  test(`no file but those of core/quoting writes ${what}`, () => {
    const found = sources.filter(
      (file) =>
        isPart(file) && !(file in apart) && pattern.test(readFileSync(join(root, file), 'utf8')),
    );
    assert.deepEqual(found, []);
  });
}
