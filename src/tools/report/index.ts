// Building blocks of reports: formatted figures, tables, charts and pages.
export { intervalBars, missingChart, sharesBar, stackedBars } from './bar-charts.ts';
export { pictureFile } from './drawing.ts';
export {
  count,
  dollars,
  duration,
  gigabytes,
  milliseconds,
  number,
  percent,
  roundChange,
  roundPercent,
  signedPercent,
} from './figures.ts';
export { lineChart, lineDrawing, type Point, type Series } from './line-chart.ts';
export { type Markup, markup } from './markup.ts';
export { htmlPage, inlineCode, printZoomOf } from './page.ts';
export { htmlTable, markdownTable, type Table, textTable } from './table.ts';
