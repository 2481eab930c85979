// What rows of traces without block ids have in common.
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

/** Maximum number of tokens of a prompt or a response: more than the longest context of any model, ten million. */
const tokensMax = 16_777_216;

/** @returns Undefined if the cell is no whole number. BurstGPT writes some as `18.0`. */
export function tokensIn(cell: string | undefined): number | undefined {
  return /^\d+(\.0*)?$/.test(cell ?? '') ? Number(cell) : undefined;
}

/** Returns a function that gives the prompt of each row ids that no other has; rows without tokens are left out. */
export function rowWithoutIds(
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
