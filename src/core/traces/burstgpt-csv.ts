// Rows of BurstGPT: arrivals in seconds, and lengths, without content or block ids.
import { InputError } from '../base/index.ts';
import { csvCells, csvColumns } from './csv-line.ts';
import { type RowParser, rowWithoutIds, tokensIn } from './rows-without-ids.ts';

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
