// The page as HTML: one sheet of A4, pictures inline, nothing loaded from elsewhere.

import { milliseconds, number } from './figures.ts';
import { gateCommand } from './gate-line.ts';
import type { Plan } from './plan.ts';
import { barPicture, memoryPicture } from './plan-pictures.ts';
import { headline, type Section, sections, verdictLines } from './sections.ts';

const style = `
@page { size: A4; margin: 9mm 11mm; }
* { box-sizing: border-box; }
body { font: 7.7pt/1.28 system-ui, -apple-system, "Segoe UI", sans-serif; color: #1f2937; max-width: 190mm; margin: 0 auto; }
h1 { font-size: 13pt; margin: 0 0 1.5mm; }
h2 { font-size: 9pt; margin: 0 0 .6mm; color: #0f766e; }
p { margin: 0 0 1mm; }
ul { margin: 0; padding-left: 3.6mm; }
li { margin-bottom: .4mm; }
code { font: 7.4pt/1.3 ui-monospace, monospace; background: #f3f4f6; padding: 0 .6mm; }
.verdict { border-left: 1mm solid #0f766e; padding-left: 2mm; margin-bottom: 2mm; }
.refused { border-color: #c2410c; }
.columns { columns: 2; column-gap: 6mm; }
table { border-collapse: collapse; width: 100%; margin: .4mm 0 .8mm; font-size: 6.7pt; line-height: 1.2; }
th, td { text-align: right; padding: .2mm 1.2mm; border-bottom: .2mm solid #e5e7eb; }
th { font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
section { break-inside: avoid; margin-bottom: 1.6mm; }
.pictures { display: grid; grid-template-columns: 1fr 1fr 1fr; gap: 3mm; margin: 1.5mm 0; }
.pictures svg { width: 100%; height: auto; max-height: 30mm; }
.small { font-size: 6.9pt; color: #4b5563; columns: 2; column-gap: 5mm; }
.gate { border-top: .3mm solid #d1d5db; margin-top: 2mm; padding-top: 1.2mm; font-weight: 600; }
@media screen { body { padding: 8mm 0; font-size: 9.5pt; } }
`;

/** Characters of text that fill the sheet at full size, with a tenth to spare. */
const sheetCharacters = 4700;
/** Smallest print, of 5 points; then the sheet holds 11,100 characters, and longer pages take two. */
const zoomMin = 0.65;

/** Smaller print for longer pages: a page's text takes the square of its size. */
function printStyle(texts: readonly string[]): string {
  const characters = texts.join('').replace(/<[^>]*>/g, '').length;
  const zoom = Math.max(zoomMin, Math.min(1, Math.sqrt(sheetCharacters / characters))).toFixed(3);
  return `@media print { body { zoom: ${zoom}; max-width: calc(190mm / ${zoom}); } }`;
}

/** A whole document. */
export function planHtml(plan: Plan): string {
  const { planned, baseline, native, lmcache, today } = plan.impact;
  const layouts = [
    ...(today ? [{ name: 'today', scenario: today }] : []),
    { name: 'none', scenario: baseline },
    { name: 'native', scenario: native },
    { name: 'LMCache', scenario: lmcache },
  ];
  const chosen = layouts.findIndex(({ scenario }) => scenario === planned);
  const bars = (pick: 'throughput' | 'ttftMs') =>
    layouts.map(({ name, scenario }, index) => ({
      name,
      estimate: scenario[pick],
      isChosen: index === chosen,
    }));
  const notes = [
    ...plan.rejectedOptions.map(({ option, because }) => `Not taken: ${option}: ${because}.`),
    ...plan.warnings.map((warning) => `Warning: ${warning}`),
    ...plan.assumptions.map(({ key, value, because }) => `Assumed: ${key}: ${value} (${because}).`),
  ];
  const numbered = sections(plan).map(
    ({ title, lines, table }, index) =>
      `<section><h2>${index + 1}. ${title}</h2>${tableOf(table)}<ul>${items(lines)}</ul></section>`,
  );
  const texts = [...verdictLines(plan), ...numbered, ...notes, gateCommand(plan)];
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<title>${escaped(headline(plan))}</title><style>${style}${printStyle(texts)}</style></head><body>`,
    `<h1>${escaped(headline(plan))}</h1>`,
    `<div class="verdict${plan.decision.stands ? '' : ' refused'}">`,
    ...verdictLines(plan).map((line) => `<p>${inline(line)}</p>`),
    '</div><div class="pictures">',
    barPicture({ title: 'Output tokens/s', bars: bars('throughput'), text: number }),
    barPicture({ title: 'Mean time to first token', bars: bars('ttftMs'), text: milliseconds }),
    memoryPicture(plan),
    '</div><div class="columns">',
    ...numbered.slice(0, -1),
    '</div>',
    numbered.at(-1) ?? '',
    `<ul class="small">${items(notes)}</ul>`,
    `<p class="gate">Gate: ${inline(gateCommand(plan))}</p>`,
    '</body></html>',
    '',
  ].join('\n');
}

function tableOf(table: Section['table']): string {
  if (table === undefined) return '';
  const [head = [], ...rows] = table;
  const row = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${row(head, 'th')}${rows.map((cells) => row(cells, 'td')).join('')}</table>`;
}

function items(lines: readonly string[]): string {
  return lines.map((line) => `<li>${inline(line)}</li>`).join('');
}

/** Text with `code` in backticks. */
function inline(text: string): string {
  return escaped(text).replace(/`([^`]*)`/g, '<code>$1</code>');
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
