// Rows of the Azure LLM inference traces: arrivals and lengths without content or block ids.
import { InputError } from '../base/index.ts';
import { csvCells, csvColumns } from './csv-line.ts';
import { type RowParser, rowWithoutIds, tokensIn } from './rows-without-ids.ts';

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
