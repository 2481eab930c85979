// The page of a plan as Markdown.
import { markdownTable } from '../report/index.ts';
import { gateCommand } from './gate-line.ts';
import type { Plan } from './plan.ts';
import { headline, sections, verdictLines } from './sections.ts';

/** Returns the page: decision, six sections, rejected options, assumptions, and the gate. */
export function planMarkdown(plan: Plan): string {
  const list = (lines: readonly string[]) => lines.map((line) => `- ${line}`);
  return [
    `# Plan: ${headline(plan)}`,
    '',
    ...verdictLines(plan).flatMap((line) => [line, '']),
    ...sections(plan).flatMap(({ title, lines, table }, index) => [
      `## ${index + 1}. ${title}`,
      '',
      ...(table === undefined ? [] : [markdownTable(table), '']),
      ...list(lines),
      '',
    ]),
    '## Not taken',
    '',
    ...list(plan.rejectedOptions.map(({ option, because }) => `**${option}**: ${because}.`)),
    '',
    ...(plan.warnings.length > 0 ? ['## Warnings', '', ...list(plan.warnings), ''] : []),
    '## Assumed',
    '',
    ...list(
      plan.assumptions.length > 0
        ? plan.assumptions.map(({ key, value, because }) => `${key}: ${value} (${because})`)
        : ['nothing: the input is complete'],
    ),
    '',
    `**Gate**: ${gateCommand(plan)}`,
    '',
  ].join('\n');
}
