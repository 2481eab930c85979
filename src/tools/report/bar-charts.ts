// Bar charts: stacked bars, bars with intervals, and one bar of shares.
import { linearAxis } from './axis.ts';
import { at, figure, legend, shortened } from './drawing.ts';
import { count, short } from './figures.ts';
import { type Markup, markup } from './markup.ts';
import { type Colour, seriesColour } from './theme.ts';

const width = 560;
const right = 14;
const nameWidth = 130;
/** Characters of a name that fit before its bar. */
const nameCharactersMax = 20;

/** Draws a horizontal bar for each row, its parts one after the other. */
export function stackedBars(options: {
  readonly title: string;
  readonly parts: readonly string[];
  readonly rows: readonly { readonly name: string; readonly values: readonly number[] }[];
  readonly unit: string;
}): Markup {
  const { title, parts, rows, unit } = options;
  const sums = rows.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  const axis = linearAxis(0, Math.max(...sums, 1e-9));
  const entries = parts.map((name, index) => ({ name, colour: seriesColour(index) }));
  const key = legend(entries, { left: nameWidth, right: width - right }, 'area');
  const top = key.height + 10;
  const rowHeight = rows.length > 12 ? 14 : 24;
  const bottom = top + rows.length * rowHeight;
  const toX = (value: number) => nameWidth + axis.place(value) * (width - nameWidth - right);
  const bars = rows.map(({ name, values }, row) => {
    const y = top + row * rowHeight;
    let from = 0;
    const rects = values.map((value, part) => {
      const start = from;
      from += value;
      return markup`<rect class="f${seriesColour(part)}" x="${at(toX(start))}" y="${y + 2}" width="${at(toX(from) - toX(start))}" height="${rowHeight - 4}"><title>${name}: ${parts[part]} ${count(value)} ${unit}</title></rect>`;
    });
    return markup`${rects}<text x="${nameWidth - 8}" y="${y + rowHeight / 2 + 4}" text-anchor="end">${shortened(name, nameCharactersMax)}</text>`;
  });
  const ticks = axis.ticks.map(
    (tick) =>
      markup`<path class="grid" d="M${at(toX(tick))} ${top}V${bottom}"/><text x="${at(toX(tick))}" y="${bottom + 16}" text-anchor="middle">${short(tick)}</text>`,
  );
  return figure({
    ...{ title, width, height: bottom + 44 },
    marks: markup`${ticks}${bars}<text x="${(nameWidth + width - right) / 2}" y="${bottom + 36}" text-anchor="middle">${unit}</text>${key.marks}`,
  });
}

const small = { width: 300, height: 150 };

/** Draws a vertical bar for each estimate, with its interval as a whisker; three such charts fit side by side. */
export function intervalBars(options: {
  readonly title: string;
  readonly bars: readonly {
    readonly name: string;
    readonly estimate: { readonly mean: number; readonly low: number; readonly high: number };
    readonly isChosen: boolean;
  }[];
  readonly text: (value: number) => string;
}): Markup {
  const { title, bars, text } = options;
  const most = Math.max(...bars.map(({ estimate }) => estimate.high), Number.MIN_VALUE);
  const [top, bottom] = [22, small.height - 20];
  const slot = small.width / bars.length;
  const toY = (value: number) => bottom - (value / most) * (bottom - top);
  const marks = bars.map(({ name, estimate, isChosen }, index) => {
    const centre = (index + 0.5) * slot;
    const y = toY(estimate.mean);
    return markup`<rect class="${isChosen ? 'fgood' : 'f5'}" x="${at(centre - slot * 0.28)}" y="${at(y)}" width="${at(slot * 0.56)}" height="${at(bottom - y)}" rx="2"/><path class="whisker" d="M${at(centre)} ${at(toY(estimate.low))}V${at(toY(estimate.high))}"/><text class="value" x="${at(centre)}" y="${at(toY(estimate.high) - 5)}" text-anchor="middle">${text(estimate.mean)}</text><text x="${at(centre)}" y="${small.height - 4}" text-anchor="middle">${name}</text>`;
  });
  const base = markup`<path class="axis" d="M0 ${bottom}H${small.width}"/>`;
  return figure({ title, ...small, marks: markup`${marks}${base}` });
}

/** Draws one bar of shares, with the name and size of each below. */
export function sharesBar(options: {
  readonly title: string;
  readonly parts: readonly {
    readonly name: string;
    readonly value: number;
    readonly colour: Colour;
  }[];
  readonly text: (value: number) => string;
}): Markup {
  const { title, parts, text } = options;
  const total = parts.reduce((sum, { value }) => sum + value, 0) || 1;
  let x = 0;
  const marks = parts.map(({ name, value, colour }, index) => {
    const start = x;
    x += (value / total) * small.width;
    const line = 62 + index * 22;
    return markup`<rect class="f${colour}" x="${at(start)}" y="12" width="${at(x - start)}" height="28"/><rect class="f${colour}" x="0" y="${line - 10}" width="12" height="12" rx="2"/><text x="19" y="${line}">${name}</text><text class="value" x="${small.width}" y="${line}" text-anchor="end">${text(value)}</text>`;
  });
  return figure({ title, ...small, marks: markup`${marks}` });
}

/** Shows a sentence in place of a chart of the same size. */
export function missingChart(title: string, sentence: string): Markup {
  return figure({ title, ...small, marks: markup`<text x="0" y="40">${sentence}</text>` });
}
