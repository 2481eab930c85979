// Curves over a common axis.
import { countAxis, linearAxis, logAxis } from './axis.ts';
import { at, type Drawing, figure, type LegendEntry, legend } from './drawing.ts';
import { short } from './figures.ts';
import { type Markup, markup } from './markup.ts';
import { type Colour, seriesColour } from './theme.ts';

/** A point; an undefined y leaves a gap. */
export type Point = readonly [x: number, y: number | undefined];

export interface Series {
  readonly name: string;
  /** In order of x. */
  readonly points: readonly Point[];
  /** Holds each value until the next. @default false */
  readonly isStepped?: boolean;
  /** @default by the place among the series */
  readonly colour?: Colour;
}

export interface Tick {
  readonly at: number;
  readonly text: string;
}

export interface LineChartOptions {
  readonly title: string;
  readonly xLabel?: string;
  readonly yLabel?: string;
  readonly series: readonly Series[];
  /** Whether the x axis is logarithmic; values at or below 0 are then omitted. @default false */
  readonly logX?: boolean;
  /** Top of the y axis. @default the tick at or above the largest value */
  readonly yMax?: number;
  /** Text at the ticks of y. */
  readonly yText?: (value: number) => string;
  /** Ticks of x, from the least to the most. @default round values */
  readonly xTicks?: readonly Tick[];
  /** Labelled points. */
  readonly marks?: readonly { readonly x: number; readonly y: number; readonly text: string }[];
  /** A horizontal line across the chart. */
  readonly limit?: { readonly y: number; readonly text: string };
  /** @default the names of the series, if there are several */
  readonly legend?: readonly LegendEntry[];
  readonly size?: { readonly width: number; readonly height: number };
}

const margin = { right: 14, top: 10, bottom: 24, label: 20 };
/** Points of a line that a screen can show. */
const pointsMax = 800;

/** Returns a figure for a page. */
export function lineChart(options: LineChartOptions): Markup {
  return figure(lineDrawing(options));
}

export function lineDrawing(options: LineChartOptions): Drawing {
  const { title, xLabel, yLabel, logX = false, limit } = options;
  const { width, height } = options.size ?? { width: 560, height: 300 };
  const isShown = ([x]: Point) => !logX || x > 0;
  const series = options.series.map((one, index) => ({
    ...{ colour: seriesColour(index), isStepped: false },
    ...one,
    points: thinned(one.points.filter(isShown)),
  }));
  const marks = (options.marks ?? []).filter(({ x, y }) => isShown([x, y]));
  const ticksX = options.xTicks ?? [];
  const xs = [
    ...series.flatMap(({ points }) => points.map(([x]) => x)),
    ...marks.map((one) => one.x),
    ...ticksX.map((tick) => tick.at),
  ];
  const ys = [
    ...series.flatMap(({ points }) => points.flatMap(([, y]) => y ?? [])),
    ...marks.map((one) => one.y),
    ...(limit ? [limit.y] : []),
  ];
  if (ys.length === 0) {
    const text = markup`<text x="${width / 2}" y="${height / 2}" text-anchor="middle">no data</text>`;
    return { title, width, height, marks: text };
  }
  const left = yLabel === undefined ? 54 : 58;
  const names = options.legend ?? (series.length > 1 ? series : []);
  const key = legend(names, { left, right: width - margin.right }, 'line');
  const top = margin.top + key.height;
  const bottom = height - margin.bottom - (xLabel === undefined ? 0 : margin.label);
  const xAxis = (logX ? logAxis : linearAxis)(leastOf(xs), mostOf(xs));
  const { yMax } = options;
  const yAxis = yMax === undefined ? countAxis(Math.max(mostOf(ys), 1e-9)) : linearAxis(0, yMax);
  const toX = (value: number) => left + xAxis.place(value) * (width - left - margin.right);
  const toY = (value: number) => bottom - Math.min(1, yAxis.place(value)) * (bottom - top);
  const xTicks = options.xTicks ?? xAxis.ticks.map((tick) => ({ at: tick, text: short(tick) }));
  const yText = options.yText ?? short;
  return {
    ...{ title, width, height },
    marks: markup`${key.marks}${yAxis.ticks.map(
      (tick) =>
        markup`<path class="grid" d="M${left} ${at(toY(tick))}H${width - margin.right}"/><text x="${left - 8}" y="${at(toY(tick) + 4)}" text-anchor="end">${yText(tick)}</text>`,
    )}${xTicks.map(
      (tick, index) =>
        markup`<path class="grid" d="M${at(toX(tick.at))} ${at(top)}V${at(bottom)}"/><text x="${at(toX(tick.at))}" y="${at(bottom + 16)}" text-anchor="${options.xTicks ? anchorOf(index, xTicks.length) : 'middle'}">${tick.text}</text>`,
    )}<path class="axis" d="M${left} ${at(top)}V${at(bottom)}H${width - margin.right}"/>${series.map(
      ({ name, points, isStepped, colour }) =>
        stretches(points).map(
          (stretch) =>
            markup`<polyline class="line s${colour}" points="${stretch
              .flatMap(([x, y], i) => {
                const before = stretch[i - 1];
                const corner = isStepped && before ? [`${at(toX(x))},${at(toY(before[1]))}`] : [];
                return [...corner, `${at(toX(x))},${at(toY(y))}`];
              })
              .join(' ')}"><title>${name}</title></polyline>`,
        ),
    )}${limit && markup`<path class="limit" d="M${left} ${at(toY(limit.y))}H${width - margin.right}"/><text class="value" x="${width - margin.right - 4}" y="${at(toY(limit.y) - 5)}" text-anchor="end">${limit.text}</text>`}${marks.map(
      ({ x, y, text }) =>
        markup`<circle class="mark" cx="${at(toX(x))}" cy="${at(toY(y))}" r="4"/>${markText(toX(x), toY(y) - 6, text, width)}`,
    )}${xLabel && markup`<text x="${at((left + width - margin.right) / 2)}" y="${height - 6}" text-anchor="middle">${xLabel}</text>`}${yLabel && markup`<text transform="translate(14 ${at((top + bottom) / 2)}) rotate(-90)" text-anchor="middle">${yLabel}</text>`}`,
  };
}

/** Places the text next to its mark, on the side with space. */
function markText(x: number, y: number, text: string, width: number): Markup {
  const isRight = x > 0.7 * width;
  return markup`<text x="${at(isRight ? x - 7 : x + 7)}" y="${at(y)}" text-anchor="${isRight ? 'end' : 'start'}">${text}</text>`;
}

/** Anchors the outer texts so that they stay within the chart. */
function anchorOf(index: number, count: number): string {
  if (index === 0) return 'start';
  return index === count - 1 ? 'end' : 'middle';
}

/** Splits the points at gaps. */
function stretches(points: readonly Point[]): (readonly [number, number])[][] {
  const runs: (readonly [number, number])[][] = [[]];
  for (const [x, y] of points) {
    if (y === undefined) runs.push([]);
    else runs.at(-1)?.push([x, y]);
  }
  return runs.filter((run) => run.length > 0);
}

function thinned<T>(points: readonly T[]): readonly T[] {
  if (points.length <= pointsMax) return points;
  const step = (points.length - 1) / (pointsMax - 1);
  return Array.from({ length: pointsMax }, (_, i) => points[Math.round(i * step)] as T);
}

function leastOf(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
}

function mostOf(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
}
