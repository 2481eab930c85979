// Tables for terminals, in Markdown and in HTML.
import { type Markup, markup } from './markup.ts';

export interface Table {
  readonly head: readonly string[];
  /** Each has as many cells as the head. */
  readonly rows: readonly (readonly string[])[];
}

export interface TextTableOptions {
  /** Returns whether a column is aligned to the left. @default only the first */
  readonly isLeft?: (column: number, columns: number) => boolean;
  /** Number of spaces between two columns. @default 2 */
  readonly gap?: number;
  /** Minimum width of each column; the last number applies to all that follow. @default [0] */
  readonly widthsMin?: readonly number[];
}

/** Returns lines with aligned columns, each as wide as its longest cell. */
export function textTable({ head, rows }: Table, options: TextTableOptions = {}): string {
  const { isLeft = (column) => column === 0, gap = 2, widthsMin = [0] } = options;
  const all = [head, ...rows];
  const widths = head.map((_, column) =>
    Math.max(
      widthsMin[column] ?? widthsMin.at(-1) ?? 0,
      ...all.map((row) => row[column]?.length ?? 0),
    ),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return isLeft(column, head.length) ? cell.padEnd(width) : cell.padStart(width);
      })
      .join(' '.repeat(gap))
      .trimEnd();
  return all.map(line).join('\n');
}

/** Aligns the first column to the left, the others to the right. */
export function markdownTable({ head, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map(markdownCell).join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '--:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** Escapes what would end the cell (a bar) or the row (a line break). */
function markdownCell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/\s*\n\s*/g, ' ');
}

/** Returns a table that scrolls horizontally on narrow screens. */
export function htmlTable({ head, rows }: Table): Markup {
  return markup`<div class="scroll"><table><thead><tr>${head.map((cell) => markup`<th>${cell}</th>`)}</tr></thead><tbody>${rows.map(
    (row) => markup`<tr>${row.map((cell) => markup`<td>${cell}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}
