// Rows of a trace with block ids, in the format of Mooncake's FAST'25 release and LLMServingSim.
import { InputError } from '../base/index.ts';
import type { TraceRequest } from './trace.ts';

/**
 * Parses one row; fields beyond the four are ignored.
 *
 * @param where File and line, for the error.
 * @throws {InputError} If the row is not a JSON object, or a field is missing or out of range.
 * @example parseBlocksRow('{"timestamp":500,"input_length":600,"output_length":9,"hash_ids":[0,1]}', 'a:1');
 * // { arrivalSeconds: 0.5, promptTokens: 600, outputTokens: 9, blockIds: [0, 1] }
 * @see https://github.com/kvcache-ai/Mooncake/tree/main/FAST25-release
 */
export function parseBlocksRow(line: string, where: string): TraceRequest {
  const row = parseObject(line, where);
  const timestampMs = row['timestamp'];
  if (typeof timestampMs !== 'number' || !(timestampMs >= 0)) {
    throw new InputError(
      `${where}: timestamp must be milliseconds >= 0, not ${show(timestampMs)}.`,
    );
  }
  const blockIds = row['hash_ids'];
  if (!areBlockIds(blockIds)) {
    throw new InputError(
      `${where}: hash_ids must be a list of whole numbers from 0 to 2^53 - 1, not ${show(blockIds)}.`,
    );
  }
  return {
    arrivalSeconds: timestampMs / 1000,
    promptTokens: tokenCount(row, 'input_length', where),
    outputTokens: tokenCount(row, 'output_length', where),
    blockIds,
  };
}

function parseObject(line: string, where: string): Record<string, unknown> {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // The parser counts lines from the row, which would contradict `where`.
    const said = reason.replace(/ \(line \d+ column \d+\)$/, '').replace(/ in JSON/, '');
    throw new InputError(`${where}: not JSON: ${said}.`, { cause: error });
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw new InputError(`${where}: a row must be a JSON object, not ${show(row)}.`);
  }
  return row as Record<string, unknown>;
}

function areBlockIds(ids: unknown): ids is number[] {
  if (!Array.isArray(ids)) return false;
  for (const id of ids) if (!Number.isSafeInteger(id) || id < 0) return false;
  return true;
}

function tokenCount(row: Record<string, unknown>, name: string, where: string): number {
  const value = row[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw new InputError(`${where}: ${name} must be a whole number >= 1, not ${show(value)}.`);
  }
  return value;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
