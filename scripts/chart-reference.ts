// The text of docs/reference/chart.md: where the chart differs from upstream's, from the lists of its tests and of `config validate`.
import { subchartKeys, vainChartKeys } from '../src/core/layout/index.ts';
import differences from '../test/lanes/chart/upstream-differences.json' with { type: 'json' };

/** Upstream's suites of commit a6c01db0; each case that is not listed passes. */
const upstreamCases = 144;
/** One name of a case stands for two cases. */
const casesOfOneName = 1;

export function chartReference(): string {
  const differing = Object.keys(differences).length + casesOfOneName;
  return [
    '# The chart beside upstream’s',
    '',
    'Written by `npm run docs` from `test/lanes/chart`; do not edit. How the chart is used is in [the guide](../guide/chart.md).',
    '',
    '## Unit tests of upstream’s chart',
    '',
    `Of the ${upstreamCases} cases in the 24 suites of \`helm/tests\` (chart 0.1.12, commit a6c01db0) ${upstreamCases - differing} pass. These do not, on purpose:`,
    '',
    '| case | why |',
    '|---|---|',
    ...Object.entries(differences).map(([name, reason]) => `| ${name} | ${reason} |`),
    '',
    '## Keys without effect in the chart',
    '',
    'A key stands for all keys below it.',
    '',
    '| key | why |',
    '|---|---|',
    ...Object.entries({ ...vainChartKeys, ...subchartKeys }).map(
      ([key, reason]) => `| \`${key}\` | ${reason} |`,
    ),
    '',
  ].join('\n');
}
