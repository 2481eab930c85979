// Parses CSV text into a table with csv-parse.
import { InputError, type TextRow, type TextTable } from '../../core/base/index.ts';

/**
 * Maximum length of a record, in characters: limits how far an unclosed quote reads into the file.
 */
const recordCharactersMax = 1_000_000;

/**
 * Parses CSV as in RFC 4180: the first record names the columns, and cells may be quoted and
 * contain line ends. Drops a byte-order mark, blanks around cells and empty records, and converts
 * every line end to \n.
 *
 * @param source Where the text comes from, for error messages.
 * @throws {InputError} If a quote is misplaced or never closed; names the line.
 */
export async function parseCsv(text: string, source: string): Promise<TextTable> {
  // Imported here because most commands read no CSV.
  const { CsvError, parse } = await import('csv-parse/sync');
  try {
    const records: TextRow[] = [];
    // csv-parse counts the \r\n of a quoted cell as two lines.
    parse(text.replace(/\r\n?/g, '\n'), {
      ...{ bom: true, trim: true, relax_column_count: true },
      ...{ skip_empty_lines: true, skip_records_with_empty_values: true },
      record_delimiter: '\n',
      max_record_size: recordCharactersMax,
      on_record: (cells: readonly string[], { lines }) => {
        records.push({ line: firstLine(cells, lines), cells });
        return null;
      },
    });
    const [header, ...rows] = records;
    return { source, columns: header?.cells ?? [], rows };
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new InputError(`${source}:${String(cause['lines'])}: ${cause.message}.`, { cause });
  }
}

/** csv-parse reports the last line of a record, whose cells may span several lines. */
function firstLine(cells: readonly string[], lastLine: number): number {
  const lineEnds = cells.map((cell) => cell.split('\n').length - 1);
  return lastLine - lineEnds.reduce((sum, count) => sum + count, 0);
}
