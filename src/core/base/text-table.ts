// A table of texts with named columns, such as a CSV file.
import { InputError } from './errors.ts';

export interface TextTable {
  /** Source of the table for error messages: the name of a file. */
  readonly source: string;
  readonly columns: readonly string[];
  readonly rows: readonly TextRow[];
}

export interface TextRow {
  /** Number of the row's line in the source; the header is usually line 1. */
  readonly line: number;
  /** Aligned with the columns of the table; a row may be shorter or longer. */
  readonly cells: readonly string[];
}

/**
 * Returns the rows of a table with only the given columns, in the given order.
 *
 * @throws {InputError} If a column is missing, or a row has nothing in one of them.
 */
export function selectColumns(table: TextTable, columns: readonly string[]): readonly TextRow[] {
  const { source } = table;
  const places = columns.map((column) => {
    const place = table.columns.indexOf(column);
    if (place >= 0) return place;
    throw new InputError(
      `${source} has no column "${column}"; it needs ${columns.join(', ')} and has ${table.columns.join(', ')}`,
    );
  });
  return table.rows.map(({ line, cells }) => ({
    line,
    cells: places.map((place) => {
      const cell = cells[place];
      if (cell) return cell;
      throw new InputError(`${source} line ${line} is short: it needs ${columns.join(', ')}`);
    }),
  }));
}

/** @throws {InputError} If the cell is not a finite number. */
export function numberInCell(cell: string, source: string): number {
  const value = Number(cell);
  if (Number.isFinite(value)) return value;
  throw new InputError(`${source} has "${cell}" where a number belongs`);
}
