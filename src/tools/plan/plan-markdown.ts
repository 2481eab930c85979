// The page as Markdown.
import { gateCommand } from './gate-line.ts';
import type { Plan } from './plan.ts';
import { headline, sections, verdictLines } from './sections.ts';

/** One page: decision, six sections, what was not taken, what was assumed, and the gate last. */
export function planMarkdown(plan: Plan): string {
  const list = (lines: readonly string[]) => lines.map((line) => `- ${line}`);
  return [
    `# Plan: ${headline(plan)}`,
    '',
    ...verdictLines(plan).flatMap((line) => [line, '']),
    ...sections(plan).flatMap(({ title, lines, table }, index) => [
      `## ${index + 1}. ${title}`,
      '',
      ...(table === undefined ? [] : [...tableLines(table), '']),
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
        : ['nothing: the input says it all'],
    ),
    '',
    `**Gate**: ${gateCommand(plan)}`,
    '',
  ].join('\n');
}

function tableLines([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '--:'))), ...rows.map(line)];
}
