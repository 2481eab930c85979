// The shell of every page: light or dark as the reader's system is set, and black on white in print.
import { type Markup, markup } from './markup.ts';
import { chartStyle, colourStyle } from './theme.ts';

export interface PageOptions {
  readonly title: string;
  readonly body: Markup;
  /** Added after the style of all pages. */
  readonly style?: Markup;
  /** Scale of the printed page, so that it fits on one sheet of A4. @default 1 */
  readonly printZoom?: number;
}

/** Returns a whole document without external resources. */
export function htmlPage({ title, body, style, printZoom = 1 }: PageOptions): string {
  const zoom = printZoom.toFixed(3);
  return `${markup`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${title}</title><style>${colourStyle}${pageStyle}${chartStyle}${style}
@media print{body{zoom:${zoom}} main{max-width:calc(188mm / ${zoom})}}</style></head>
<body><main>
${body}
</main></body></html>`}\n`;
}

/** Marks up text in `backticks` as code. */
export function inlineCode(text: string): Markup {
  // Every second piece was between two backticks; a last backtick without a partner stays.
  const pieces = text.split('`');
  const isOdd = pieces.length % 2 === 0;
  const last = isOdd ? `\`${pieces.pop() ?? ''}` : '';
  return markup`${pieces.map((piece, i) => (i % 2 === 1 ? markup`<code>${piece}</code>` : piece))}${last}`;
}

/** Height of a sheet of A4 within its margins, millimetres. */
const sheetHeightMm = 277;
/** Smallest scale, for print of 4 points; a longer page takes a second sheet. */
const printZoomMin = 0.5;

/** @param heightMm Height of the page at full size. */
export function printZoomOf(heightMm: number): number {
  return Math.max(printZoomMin, Math.min(1, sheetHeightMm / heightMm));
}

const pageStyle = markup`
*{box-sizing:border-box} body{margin:0;background:var(--back);color:var(--fore);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1180px;margin:0 auto;padding:2rem 1.25rem} h1{font-size:1.4rem;line-height:1.3;margin:.1rem 0 .6rem;text-wrap:pretty}
h2{font-size:1.05rem;margin:2rem 0 .5rem} p{margin:.2rem 0} .name,.soft{color:var(--soft)} .name{margin:0}
.good b{color:var(--good)} .bad b{color:var(--bad)} .notes{margin:.2rem 0 1rem;padding-left:1.2rem;color:var(--soft)} .verdict{margin:.2rem 0 1rem}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace} code{font-size:.88em;background:var(--card);padding:.05em .3em;border-radius:4px;overflow-wrap:anywhere}
pre{white-space:pre-wrap;background:var(--card);border-radius:10px;padding:.8rem 1rem;font-size:.84em;overflow-wrap:anywhere} pre.table{white-space:pre;overflow-x:auto}
figure{margin:0;min-width:0} figcaption{font-weight:600;margin:0 0 .2rem .2rem} figure svg{display:block;width:100%;height:auto}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:.75rem;margin:0 0 1.5rem;padding:0;list-style:none}
.tiles li{background:var(--card);border-radius:10px;padding:.7rem .9rem} .tiles b{display:block;font-size:1.3em;line-height:1.3;font-variant-numeric:tabular-nums} .tiles span{color:var(--soft);font-size:.86em;line-height:1.3;display:block}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:1.25rem 1.5rem} .charts>:only-child{max-width:720px}
.scroll{overflow-x:auto} table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.92em}
td,th{padding:.3rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap} td:first-child,th:first-child{text-align:left;padding-left:0} td:last-child,th:last-child{padding-right:0}
th{color:var(--soft);font-weight:500} footer{margin-top:2.5rem;color:var(--soft);font-size:.86em}
@page{size:A4;margin:9mm 11mm}
@media print{body{font-size:7.7pt;line-height:1.3;print-color-adjust:exact} main{padding:0;margin:0} h1{font-size:13pt;margin:0 0 1.5mm} h2{font-size:9pt;margin:2.5mm 0 .8mm}
p{margin:0 0 .8mm} figcaption{font-size:7.5pt} pre{font-size:6.7pt;line-height:1.25;border-radius:1mm;padding:1mm 1.5mm;margin:.8mm 0} .notes,.verdict{margin:0 0 1.5mm} table{font-size:6.7pt;line-height:1.2} td,th{padding:.25mm 1.2mm} .scroll{overflow:visible}
.charts{grid-template-columns:repeat(3,1fr);gap:2.5mm 4mm} .charts svg{max-height:34mm} .tiles{grid-template-columns:repeat(6,1fr);gap:2mm;margin-bottom:2.5mm} .tiles li{padding:1.2mm 1.8mm} .tiles b{font-size:10pt}
footer{margin-top:2mm;font-size:6.7pt} .tiles li{border-radius:1mm} figure,tr,li{break-inside:avoid}}`;
