// The page of a plan as HTML: one sheet of A4 with inline charts; loads nothing.
import {
  htmlPage,
  htmlTable,
  inlineCode,
  intervalBars,
  type Markup,
  markup,
  milliseconds,
  number,
} from '../report/index.ts';
import { gateCommand } from './gate-line.ts';
import { memoryChart } from './memory-chart.ts';
import type { Plan } from './plan.ts';
import { headline, type Section, sections, verdictLines } from './sections.ts';

/** Number of characters that fit on the sheet at full size, with a tenth to spare. */
const sheetCharacters = 4700;
/** Smallest zoom (5-point print): the sheet then holds 11,100 characters; longer pages take two sheets. */
const zoomMin = 0.65;

/** Returns the HTML document. */
export function planHtml(plan: Plan): string {
  const numbered = sections(plan).map(sectionOf);
  const notes = [
    ...plan.rejectedOptions.map(({ option, because }) => `Not taken: ${option}: ${because}.`),
    ...plan.warnings.map((warning) => `Warning: ${warning}`),
    ...plan.assumptions.map(({ key, value, because }) => `Assumed: ${key}: ${value} (${because}).`),
  ];
  const texts = [...verdictLines(plan), ...numbered.map(String), ...notes, gateCommand(plan)];
  return htmlPage({
    title: headline(plan),
    style,
    printZoom: zoomOf(texts),
    body: markup`<p class="name">spillway plan</p><h1>${headline(plan)}</h1>
<div class="verdict ${plan.decision.stands ? 'stands' : 'refused'}">${verdictLines(plan).map(
      (line) => markup`<p>${inlineCode(line)}</p>`,
    )}</div>
<div class="charts three">${charts(plan)}</div>
<div class="columns">${numbered.slice(0, -1)}</div>
${numbered.at(-1)}
<ul class="small">${items(notes)}</ul>
<p class="gate">Gate: ${inlineCode(gateCommand(plan))}</p>`,
  });
}

const style = markup`
.verdict{border-left:4px solid var(--good);padding-left:.8rem;margin:.6rem 0 1.4rem} .refused{border-color:var(--bad)}
.three{grid-template-columns:repeat(auto-fit,minmax(min(100%,280px),1fr))} .columns{columns:2 420px;column-gap:2.5rem;margin:1.6rem 0 .4rem}
section{break-inside:avoid;margin-bottom:1.2rem} h2{margin:0 0 .3rem;color:var(--good)} ul{margin:.2rem 0;padding-left:1.1rem} li{margin-bottom:.25rem}
.small{font-size:.84em;color:var(--soft);columns:2 420px;column-gap:2.5rem} .gate{border-top:1px solid var(--line);margin-top:1rem;padding-top:.6rem;font-weight:600}
td,th{white-space:normal} th{vertical-align:bottom} table{margin:.4rem 0 .8rem;font-size:.84em}
@media print{main{max-width:none} .name{display:none} .verdict{border-left-width:1mm;padding-left:2mm;margin:0 0 2mm} .three{grid-template-columns:repeat(3,1fr);gap:3mm;margin:1.5mm 0} .three svg{max-height:27mm}
.columns{columns:2;column-gap:6mm;margin:0} section{margin-bottom:1.6mm} h2{margin:0 0 .6mm} ul{margin:0;padding-left:3.6mm} li{margin-bottom:.4mm} code{font-size:7.4pt;padding:0 .6mm}
table{margin:.4mm 0 .8mm} .small{font-size:6.9pt;columns:2;column-gap:5mm} .gate{margin-top:2mm;padding-top:1.2mm}}`;

/** Returns the zoom; the area of text grows with the square of its size. */
function zoomOf(texts: readonly string[]): number {
  const characters = texts.join('').replace(/<[^>]*>/g, '').length;
  return Math.max(zoomMin, Math.min(1, Math.sqrt(sheetCharacters / characters)));
}

function charts(plan: Plan): Markup[] {
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
  return [
    intervalBars({ title: 'Output tokens/s', bars: bars('throughput'), text: number }),
    intervalBars({ title: 'Mean time to first token', bars: bars('ttftMs'), text: milliseconds }),
    memoryChart(plan),
  ];
}

function sectionOf({ title, lines, table }: Section, index: number): Markup {
  return markup`<section><h2>${index + 1}. ${title}</h2>${table && htmlTable(table)}<ul>${items(lines)}</ul></section>`;
}

function items(lines: readonly string[]): Markup[] {
  return lines.map((line) => markup`<li>${inlineCode(line)}</li>`);
}
