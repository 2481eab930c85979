// Writes docs/guide/plan/cases.md: the decision of the rules for each input next to it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decidePlan } from '../src/tools/plan/index.ts';

const folder = 'docs/guide/plan/cases';

/** Each case: its question, the command, the decision, refusals and reasons. */
export async function planCases(): Promise<string> {
  const files = readdirSync(folder)
    .filter((file) => /^\d\d-.*\.(yaml|json)$/.test(file))
    .sort();
  const cases: string[] = [];
  for (const file of files) cases.push(await casePage(file));
  return [
    '# Twenty worked cases',
    '',
    'Inputs of [`spillway plan`](README.md), and its decisions. `npm run docs` generates this page,',
    'and `src/tools/plan/cases.test.ts` checks decisions, rules and exit statuses. The expected impact of each decision is',
    'simulated when the command runs and is not repeated here.',
    '',
    ...cases,
  ].join('\n');
}

async function casePage(file: string): Promise<string> {
  const path = join(folder, file);
  const decided = await decidePlan({
    ...{ file: path, overrides: [], trace: undefined, prometheus: undefined, seed: 1 },
  });
  const { decision, engines, layout, routing, offloadGiB, disaggregation, today, thresholds } =
    decided;
  const { refusals, rejects } = decision;
  const rows: [string, string][] = [
    [
      'decision',
      `${decision.stack}, ${decision.kvOffload}${offloadGiB > 0 ? ` (${offloadGiB} GiB per engine)` : ''}, ` +
        `${engines} × ${layout.model.name} on ${layout.gpusPerEngine} × ${layout.gpu.name}, ${routing.policy}`,
    ],
    ['why', `${decision.kvOffloadBecause}.`],
    ...(decided.offload.disagreement === undefined
      ? []
      : [['rules', `${decided.offload.disagreement}.`] as [string, string]]),
    ...[
      ...refusals.map((one) => ({ kind: 'refusal', one })),
      ...rejects.map((one) => ({ kind: 'reject', one })),
    ].map(({ kind, one }): [string, string] => [
      kind,
      `\`${one.rule}\`${one.wanted ? '' : ' (not requested)'}: ${one.because}. Instead: ${one.nearest}.`,
    ]),
    ...(decided.shortfall === undefined
      ? []
      : [['falls short', `${decided.shortfall}.`] as [string, string]]),
    ...(disaggregation.advised
      ? [['prefill and decode', `aggregated; ${disaggregation.because}.`] as [string, string]]
      : []),
    ...(today
      ? [
          [
            'compared with',
            `today's ${today.engines} engines, offload ${today.kvOffload}, ${today.policy}.`,
          ] as [string, string],
        ]
      : []),
    ...decided.assumptions
      .filter(({ key }) => key === 'thresholds')
      .map(({ value }): [string, string] => ['threshold', `${value}.`]),
    ['gate', `KV cache P99 of 24 h at most ${thresholds.hbmUtilization}.`],
    ['exit status', decision.stands ? '0' : '3'],
  ];
  const [first = ''] = readFileSync(path, 'utf8').split('\n');
  const question = first.startsWith('#') ? first.slice(1).trim() : questions[file];
  if (question === undefined) throw new Error(`${path} does not state its question`);
  return [
    `## ${file.slice(0, 2)} ${file
      .slice(3)
      .replace(/\.\w+$/, '')
      .replaceAll('-', ' ')}`,
    '',
    question,
    '',
    `    spillway plan -f ${path}`,
    '',
    '| | |',
    '|---|---|',
    ...rows.map(([name, text]) => `| ${name} | ${text.replaceAll('|', '\\|')} |`),
    '',
  ].join('\n');
}

/** JSON has no comments. */
const questions: Readonly<Record<string, string>> = {
  '18-thresholds.json':
    'JSON, with thresholds of its own: prompts of 1,200 tokens count as short, and HBM as full at 90 %.',
};
