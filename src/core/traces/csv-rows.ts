// Rows of traces in CSV, which have arrivals and lengths without content or block ids: Azure's and BurstGPT's.
import { InputError } from '../base/index.ts';
import type { TraceRequest } from './trace.ts';

/**
 * Parses one row.
 *
 * @param where File and line, for the error.
 * @returns Undefined for a request that failed: it has no tokens.
 * @throws {InputError} If the row is not of the format.
 */
export type RowParser = (line: string, where: string) => TraceRequest | undefined;

const timePattern = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d+)?(?:Z|\+00:00)?$/;

/**
 * Returns a parser of successive rows. The first row arrives at 0 s. The trace has no information about
 * shared prefixes, so each prompt gets unique block ids.
 *
 * @param header The names of the columns; others than the three are ignored.
 * @param blockTokens Tokens per block id.
 * @see https://github.com/Azure/AzurePublicDataset/blob/master/AzureLLMInferenceDataset2023.md
 */
export function azureRowParser(header: readonly string[], blockTokens: number): RowParser {
  const at = csvColumns(header, ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens']);
  const withIds = rowWithoutIds(blockTokens);
  let origin: { wholeSeconds: number; fraction: number } | undefined;
  return (line, where) => {
    const cells = csvCells(line);
    const time = timePattern.exec(cells[at.TIMESTAMP] ?? '');
    const promptTokens = tokensIn(cells[at.ContextTokens]);
    const outputTokens = tokensIn(cells[at.GeneratedTokens]);
    if (time === null || promptTokens === undefined || outputTokens === undefined) {
      throw new InputError(
        `${where}: expected "YYYY-MM-DD HH:MM:SS.fffffff,ContextTokens,GeneratedTokens", not "${line.slice(0, 80)}".`,
      );
    }
    const [year, month, day, hour, minute, second] = time.slice(1, 7).map(Number);
    const wholeSeconds = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second) / 1000;
    const fraction = Number(time[7] ?? 0);
    // Seconds since 1970 leave too few digits in a double for the trace's 100 ns, so whole seconds and
    // fractions are subtracted separately.
    origin ??= { wholeSeconds, fraction };
    const arrivalSeconds = wholeSeconds - origin.wholeSeconds + (fraction - origin.fraction);
    return withIds(
      { arrivalSeconds, promptTokens, outputTokens },
      'ContextTokens and GeneratedTokens',
      where,
    );
  };
}

/**
 * Returns a parser of successive rows. Both sets of columns are read: with and without `Session ID` and `Elapsed time`.
 * Each prompt gets unique block ids.
 *
 * @param header The names of the columns.
 * @param blockTokens Tokens per block id.
 * @see https://github.com/HPMLL/BurstGPT
 */
export function burstGptRowParser(header: readonly string[], blockTokens: number): RowParser {
  const at = csvColumns(header, ['Timestamp', 'Model', 'Request tokens', 'Response tokens']);
  const withIds = rowWithoutIds(blockTokens);
  return (line, where) => {
    const cells = csvCells(line);
    const time = cells[at.Timestamp] ?? '';
    const arrivalSeconds = Number(time);
    const promptTokens = tokensIn(cells[at['Request tokens']]);
    const outputTokens = tokensIn(cells[at['Response tokens']]);
    const isTimed = time !== '' && arrivalSeconds >= 0 && Number.isFinite(arrivalSeconds);
    if (!isTimed || promptTokens === undefined || outputTokens === undefined) {
      throw new InputError(
        `${where}: expected seconds in Timestamp, and whole numbers in Request tokens and Response tokens, not "${line.slice(0, 80)}".`,
      );
    }
    const sourceModel = cells[at.Model];
    return withIds(
      {
        arrivalSeconds,
        promptTokens,
        outputTokens,
        ...(sourceModel === undefined ? {} : { sourceModel }),
      },
      'Request tokens and Response tokens',
      where,
    );
  };
}

/** Maximum number of tokens of a prompt or a response: more than the longest context of any model, ten million. */
const tokensMax = 16_777_216;

/** @returns Undefined if the cell is no whole number. BurstGPT writes some as `18.0`. */
function tokensIn(cell: string | undefined): number | undefined {
  return /^\d+(\.0*)?$/.test(cell ?? '') ? Number(cell) : undefined;
}

/** Returns a function that gives the prompt of each row ids that no other has; rows without tokens are left out. */
function rowWithoutIds(
  blockTokens: number,
): (
  row: Omit<TraceRequest, 'blockIds'>,
  columns: string,
  where: string,
) => TraceRequest | undefined {
  let nextBlockId = 0;
  return (row, columns, where) => {
    const { promptTokens, outputTokens } = row;
    if (promptTokens > tokensMax || outputTokens > tokensMax) {
      throw new InputError(`${where}: ${columns} must be at most ${tokensMax}.`);
    }
    if (promptTokens < 1 || outputTokens < 1) return undefined;
    const blocks = Math.ceil(promptTokens / blockTokens);
    return { ...row, blockIds: Array.from({ length: blocks }, () => nextBlockId++) };
  };
}

/** Returns the cells of a record, without the quotes and blanks around them. */
export function csvCells(line: string): string[] {
  if (!line.includes('"')) return line.split(',').map((cell) => cell.trim());
  const cells: string[] = [];
  let cell = '';
  let isQuoted = false;
  for (let i = 0; i < line.length; i++) {
    const character = line[i] as string;
    if (character === '"') {
      if (isQuoted && line[i + 1] === '"') {
        cell += '"';
        i++;
      } else isQuoted = !isQuoted;
    } else if (character === ',' && !isQuoted) {
      cells.push(cell.trim());
      cell = '';
    } else cell += character;
  }
  cells.push(cell.trim());
  return cells;
}

/** Returns where each of the columns is, by names in any case. */
function csvColumns<Name extends string>(
  header: readonly string[],
  names: readonly Name[],
): Readonly<Record<Name, number>> {
  const lower = header.map((column) => column.toLowerCase());
  return Object.fromEntries(
    names.map((name) => [name, lower.indexOf(name.toLowerCase())]),
  ) as Record<Name, number>;
}
