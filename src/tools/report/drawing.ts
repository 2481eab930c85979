// The base of every chart: marks in a box, for a page or for an SVG file of its own.
import { type Markup, markup } from './markup.ts';
import { type Colour, chartStyle, colourStyle } from './theme.ts';

export interface Drawing {
  readonly title: string;
  /** Unit: a line of text is 12 high. */
  readonly width: number;
  readonly height: number;
  readonly marks: Markup;
}

/** Returns a chart for a page, with its title as the caption. */
export function figure({ title, width, height, marks }: Drawing): Markup {
  return markup`<figure><figcaption>${title}</figcaption><svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="xMinYMin" role="img" aria-label="${title}">${marks}</svg></figure>`;
}

/** Height of a title in an SVG file. */
const titleHeight = 22;

/** Returns charts below one another as one SVG file without scripts, fonts or external resources. */
export function pictureFile(title: string, drawings: readonly Drawing[]): string {
  const width = Math.max(...drawings.map((one) => one.width));
  let height = 8;
  const panels = drawings.map((one) => {
    const top = height;
    height += titleHeight + one.height;
    return markup`<g transform="translate(0 ${top})"><text class="title" x="12" y="14">${one.title}</text><g transform="translate(0 ${titleHeight})">${one.marks}</g></g>`;
  });
  return `${markup`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"><title>${title}</title><style>${colourStyle}${chartStyle}</style><rect class="paper" width="${width}" height="${height}"/>${panels}</svg>`}\n`;
}

/** Formats a distance with one decimal. */
export function at(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}

export interface LegendEntry {
  readonly name: string;
  readonly colour: Colour;
}

const legendRowHeight = 18;
/** Characters of a name that a legend shows. */
const nameCharactersMax = 36;

/** Draws the names from left to right, in as many rows as needed. */
export function legend(
  entries: readonly LegendEntry[],
  box: { readonly left: number; readonly right: number },
  sign: 'line' | 'area',
): { readonly marks: readonly Markup[]; readonly height: number } {
  let x = box.left;
  let y = 0;
  const marks = entries.map(({ name, colour }) => {
    const text = shortened(name, nameCharactersMax);
    const width = 26 + 6.6 * text.length;
    if (x > box.left && x + width > box.right) {
      x = box.left;
      y += legendRowHeight;
    }
    const here = x;
    x += width + 10;
    const signed =
      sign === 'line'
        ? markup`<path class="line s${colour}" d="M${at(here)} ${y + 9}h14"/>`
        : markup`<rect class="f${colour}" x="${at(here)}" y="${y + 3}" width="12" height="12" rx="2"/>`;
    return markup`${signed}<text x="${at(here + 19)}" y="${y + 13}">${text}</text>`;
  });
  return { marks, height: entries.length === 0 ? 0 : y + legendRowHeight };
}

/** Cuts a longer text and ends it with an ellipsis. */
export function shortened(text: string, charactersMax: number): string {
  return text.length > charactersMax ? `${text.slice(0, charactersMax - 1)}…` : text;
}
