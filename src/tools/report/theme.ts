// Colours and lines of all pages and charts, for light and dark screens; print is always light.
import { markup } from './markup.ts';

/** Colours of series, in order; the other colours have a meaning. */
export type Colour = 0 | 1 | 2 | 3 | 4 | 5 | 'good' | 'bad' | 'soft' | 'line';

/** Returns the colour of the nth series; colours repeat from the seventh on. */
export function seriesColour(index: number): Colour {
  return (index % 6) as Colour;
}

/** Variables of the root element of a page or an SVG file. */
export const colourStyle = markup`
:root{color-scheme:light dark;--back:#fff;--fore:#1c2330;--soft:#5d6675;--line:#e3e7ee;--card:#f6f8fb;--good:#0f766e;--bad:#c2410c;
--c0:#2f6fdf;--c1:#d9660f;--c2:#1a8f60;--c3:#8a54d6;--c4:#c43d6b;--c5:#8792a3}
@media screen and (prefers-color-scheme:dark){:root{--back:#12161d;--fore:#e8ecf3;--soft:#9aa5b6;--line:#29313d;--card:#1a2029;--good:#2dd4bf;--bad:#fb923c;
--c0:#6aa2ff;--c1:#ff9c4f;--c2:#4ccb97;--c3:#b58cf2;--c4:#ee7ba0;--c5:#7f8b9d}}`;

const names = [0, 1, 2, 3, 4, 5].map((index) => [`${index}`, `c${index}`] as const);
const meanings = (['good', 'bad', 'soft', 'line'] as const).map((name) => [name, name] as const);

/** Classes for marks of charts: `s…` are lines of a colour, `f…` are areas. */
export const chartStyle = markup`
svg{font:12px system-ui,-apple-system,"Segoe UI",sans-serif} svg text{fill:var(--soft)} svg .title{fill:var(--fore);font-weight:600;font-size:13px}
.grid{stroke:var(--line);fill:none} .axis{stroke:var(--soft);fill:none} .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.whisker{stroke:var(--fore);stroke-width:1.5} .value{fill:var(--fore)} .limit{stroke:var(--fore);stroke-dasharray:5 4} .mark{fill:var(--c0)} .paper{fill:var(--back)}
${[...names, ...meanings].map(([name, variable]) => markup`.s${name}{stroke:var(--${variable})} .f${name}{fill:var(--${variable})} `)}`;
