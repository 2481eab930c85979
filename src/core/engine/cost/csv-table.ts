// Reads the small comma-separated tables of step profiles: a header, then numbers and names.
import { InputError } from '../../base/index.ts';

/**
 * @param source Where the text comes from, for the error message.
 * @param columns Columns that the table must have; others are ignored.
 * @returns One array per row, aligned with `columns`.
 * @throws {InputError} If a column is missing or a row is short.
 */
export function parseCsvTable(
  text: string,
  source: string,
  columns: readonly string[],
): readonly (readonly string[])[] {
  const names = csvColumns(text);
  const lines = text.trim().split(/\r?\n/).slice(1);
  const places = columns.map((column) => {
    const place = names.indexOf(column);
    if (place < 0) {
      throw new InputError(
        `${source} has no column "${column}"; it needs ${columns.join(', ')} and has ${names.join(', ')}`,
      );
    }
    return place;
  });
  return lines.map((line, index) => {
    const cells = line.split(',').map(bareCell);
    return places.map((place) => {
      const cell = cells[place];
      if (cell === undefined || cell === '') {
        throw new InputError(
          `${source} line ${index + 2} is short: it needs ${columns.join(', ')}`,
        );
      }
      return cell;
    });
  });
}

/** The names in the header, without byte-order mark, quotes and blanks. */
export function csvColumns(text: string): string[] {
  const [header = ''] = text
    .replace(/^\uFEFF/, '')
    .trimStart()
    .split(/\r?\n/, 1);
  return header.split(',').map(bareCell);
}

/** Spreadsheets quote names and pad numbers. */
function bareCell(cell: string): string {
  return cell.trim().replace(/^"(.*)"$/, '$1');
}

/** @throws {InputError} If the cell is not a finite number. */
export function parseCsvNumber(cell: string, source: string): number {
  const value = Number(cell);
  if (!Number.isFinite(value))
    throw new InputError(`${source} has "${cell}" where a number belongs`);
  return value;
}
