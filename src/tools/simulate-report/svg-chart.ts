// Line charts and bars as inline SVG: no script, no font, nothing from elsewhere.

export interface Series {
  readonly name: string;
  /** In order of x. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Draws each value until the next, as it was. @default false */
  readonly isStepped?: boolean;
}

export interface ChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Logarithmic x; values at or below 0 are left out. @default false */
  readonly logX?: boolean;
  /** Top of the y axis; the largest value unless given. */
  readonly yMax?: number;
  /** Written at the ticks of y. */
  readonly yText?: (value: number) => string;
  /** Draw a mark at each point, with its label. */
  readonly marks?: readonly { readonly x: number; readonly y: number; readonly text: string }[];
}

const width = 560;
const height = 300;
const left = 58;
const right = 14;
const top = 34;
const bottom = 44;
/** Points of a line that a screen can show. */
const pointsMax = 800;

/** One figure with a title, axes, and a legend if there is more than one series. */
export function lineChart(options: ChartOptions): string {
  const { title, xLabel, yLabel, logX = false, marks = [] } = options;
  const series = options.series.map((one) => ({
    ...one,
    points: thinned(one.points.filter(([x]) => !logX || x > 0)),
  }));
  const all = [
    ...series.flatMap(({ points }) => points),
    ...marks.map(({ x, y }) => [x, y] as const),
  ].filter(([x]) => !logX || x > 0);
  if (all.length === 0) return emptyChart(title);
  const xs = all.map(([x]) => x);
  const x = axis(Math.min(...xs), Math.max(...xs), logX);
  const y = axis(0, options.yMax ?? Math.max(...all.map(([, value]) => value), 1e-9), false);
  const at = (value: number) => left + x.place(value) * (width - left - right);
  const up = (value: number) => height - bottom - y.place(value) * (height - top - bottom);
  const grid = [
    ...y.ticks.map((tick) => {
      const text = options.yText?.(tick) ?? short(tick);
      return `<path class="grid" d="M${left} ${n(up(tick))}H${width - right}"/><text x="${left - 8}" y="${n(up(tick) + 4)}" text-anchor="end">${escapeXml(text)}</text>`;
    }),
    ...x.ticks.map(
      (tick) =>
        `<path class="grid" d="M${n(at(tick))} ${top}V${height - bottom}"/><text x="${n(at(tick))}" y="${height - bottom + 16}" text-anchor="middle">${short(tick)}</text>`,
    ),
  ];
  const lines = series.map(
    ({ points, isStepped }, i) =>
      `<path class="line s${i}" d="${path(points, at, up, isStepped ?? false)}"/>`,
  );
  const dots = marks.map(
    ({ x: markX, y: markY, text }) =>
      `<circle class="mark" cx="${n(at(markX))}" cy="${n(up(markY))}" r="4"/>${label(at(markX), up(markY) - 6, text)}`,
  );
  return figure(title, [
    ...grid,
    `<path class="axis" d="M${left} ${top}V${height - bottom}H${width - right}"/>`,
    ...lines,
    ...dots,
    `<text class="label" x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">${escapeXml(xLabel)}</text>`,
    `<text class="label" transform="translate(14 ${(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">${escapeXml(yLabel)}</text>`,
    ...legend(series.length > 1 ? series.map(({ name }) => name) : []),
  ]);
}

/** A horizontal bar for each row, in parts that follow one another. */
export function stackedBars(options: {
  readonly title: string;
  readonly parts: readonly string[];
  readonly rows: readonly { readonly name: string; readonly values: readonly number[] }[];
  readonly unit: string;
}): string {
  const { title, parts, rows, unit } = options;
  const longest = Math.max(
    ...rows.map(({ values }) => values.reduce((sum, value) => sum + value, 0)),
    1e-9,
  );
  const x = axis(0, longest, false);
  const nameWidth = 130;
  const rowHeight = rows.length > 12 ? 14 : 24;
  const tall = top + rows.length * rowHeight + bottom;
  const at = (value: number) => nameWidth + x.place(value) * (width - nameWidth - right);
  const bars = rows.map(({ name, values }, row) => {
    const y = top + row * rowHeight;
    let from = 0;
    const rects = values.map((value, part) => {
      const start = from;
      from += value;
      const wide = at(from) - at(start);
      const text = `${name}: ${parts[part] ?? ''} ${Math.round(value).toLocaleString('en-US')} ${unit}`;
      return `<rect class="bar f${part}" x="${n(at(start))}" y="${y + 2}" width="${n(wide)}" height="${rowHeight - 4}"><title>${escapeXml(text)}</title></rect>`;
    });
    const label = name.length > 20 ? `${name.slice(0, 19)}…` : name;
    return `${rects.join('')}<text x="${nameWidth - 8}" y="${y + rowHeight / 2 + 4}" text-anchor="end">${escapeXml(label)}</text>`;
  });
  const ticks = x.ticks.map(
    (tick) =>
      `<path class="grid" d="M${n(at(tick))} ${top}V${tall - bottom}"/><text x="${n(at(tick))}" y="${tall - bottom + 16}" text-anchor="middle">${short(tick)}</text>`,
  );
  const label = `<text class="label" x="${(nameWidth + width - right) / 2}" y="${tall - 8}" text-anchor="middle">${escapeXml(unit)}</text>`;
  return figure(title, [...ticks, ...bars, label, ...legend(parts, 'f')], tall);
}

/** The colours and lines of all charts; for light and dark screens. */
export const chartStyle = `
figure{margin:0} figcaption{font-weight:600;margin:0 0 .2rem .2rem}
svg{width:100%;height:auto;font:12px system-ui,sans-serif}
svg text{fill:var(--soft)} .label{font-size:12.5px} .grid{stroke:var(--line);stroke-width:1;fill:none}
.axis{stroke:var(--soft);fill:none} .line{fill:none;stroke-width:2;stroke-linejoin:round}
${[0, 1, 2, 3, 4, 5].map((i) => `.s${i}{stroke:var(--c${i})} .f${i}{fill:var(--c${i})}`).join(' ')}
.mark{fill:var(--c0)}`;

function figure(title: string, parts: readonly string[], tall = height): string {
  return `<figure><figcaption>${escapeXml(title)}</figcaption><svg viewBox="0 0 ${width} ${tall}" role="img" aria-label="${escapeXml(title)}">${parts.join('')}</svg></figure>`;
}

/** Beside its mark, on the side where there is room. */
function label(x: number, y: number, text: string): string {
  const isRight = x > 0.7 * width;
  const anchor = isRight ? ' text-anchor="end"' : '';
  return `<text x="${n(isRight ? x - 7 : x + 7)}" y="${n(y)}"${anchor}>${escapeXml(text)}</text>`;
}

function emptyChart(title: string): string {
  return figure(title, [
    `<text x="${width / 2}" y="${height / 2}" text-anchor="middle">no data</text>`,
  ]);
}

function legend(names: readonly string[], kind: 's' | 'f' = 's'): string[] {
  let x = left;
  return names.map((name, i) => {
    const here = x;
    x += 34 + 7 * name.length;
    const sign =
      kind === 's'
        ? `<path class="line s${i}" d="M${here} 16h14"/>`
        : `<rect class="f${i}" x="${here}" y="10" width="12" height="12"/>`;
    return `${sign}<text x="${here + 18}" y="20">${escapeXml(name)}</text>`;
  });
}

interface Axis {
  /** Where a value lies, 0 to 1. */
  place(value: number): number;
  readonly ticks: readonly number[];
}

function axis(least: number, most: number, isLog: boolean): Axis {
  if (!isLog) {
    const step = niceStep((most - least || 1) / 5);
    const ticks: number[] = [];
    for (let i = Math.ceil(least / step); i * step <= most * (1 + 1e-9); i++) ticks.push(i * step);
    return { place: (value) => (value - least) / (most - least || 1), ticks };
  }
  const [low, high] = [Math.log10(least), Math.log10(most)];
  const span = high - low || 1;
  const ticks: number[] = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const digit of span > 3 ? [1] : [1, 2, 5]) {
      const tick = digit * 10 ** power;
      if (tick >= least * (1 - 1e-9) && tick <= most * (1 + 1e-9)) ticks.push(tick);
    }
  }
  return { place: (value) => (Math.log10(value) - low) / span, ticks };
}

/** The least of 1, 2, 5 · 10^k that is no smaller. */
function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const digit = [1, 2, 5, 10].find((one) => one * power >= step * (1 - 1e-9)) ?? 10;
  return digit * power;
}

function path(
  points: readonly (readonly [number, number])[],
  at: (x: number) => number,
  up: (y: number) => number,
  isStepped: boolean,
): string {
  return points
    .map(([x, y], i) => {
      if (i === 0) return `M${n(at(x))} ${n(up(y))}`;
      return isStepped ? `H${n(at(x))}V${n(up(y))}` : `L${n(at(x))} ${n(up(y))}`;
    })
    .join('');
}

function thinned<T>(points: readonly T[]): readonly T[] {
  if (points.length <= pointsMax) return points;
  const step = (points.length - 1) / (pointsMax - 1);
  return Array.from({ length: pointsMax }, (_, i) => points[Math.round(i * step)] as T);
}

function n(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}

function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${trim(value / 1e9)}G`;
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e4) return `${trim(value / 1e3)}k`;
  return trim(value);
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}

export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
