// Rows of a trace with block ids, in the format of Mooncake's FAST'25 release, Qwen-Bailian and LLMServingSim; and the
// unit of their timestamps: Mooncake's are milliseconds, Qwen-Bailian's seconds.
import { counted, InputError } from '../base/index.ts';
import { expectedTraces } from './file-fields.ts';
import type { TraceRequest } from './trace.ts';

/** The names of the four fields. @default those of Mooncake */
export interface BlockFields {
  readonly timestamp: string;
  readonly inputLength: string;
  readonly outputLength: string;
  readonly hashIds: string;
}

export const mooncakeFields: BlockFields = {
  ...{ timestamp: 'timestamp', inputLength: 'input_length', outputLength: 'output_length' },
  hashIds: 'hash_ids',
};

/** A row, whose arrival is in the unit of the file. */
export interface BlocksRow extends TraceRequest {
  readonly hasChatIds: boolean;
}

/**
 * Parses one row; fields beyond the four are ignored.
 *
 * @param row The JSON object of the row.
 * @param where File and line, for the error.
 * @throws {InputError} If a field is missing or out of range.
 * @example parseBlocksRow({ timestamp: 500, input_length: 600, output_length: 9, hash_ids: [0, 1] }, 'a:1');
 * // { arrivalSeconds: 500, promptTokens: 600, outputTokens: 9, blockIds: [0, 1], hasChatIds: false }
 * @see https://github.com/kvcache-ai/Mooncake/tree/main/FAST25-release
 * @see https://github.com/alibaba-edu/qwen-bailian-usagetraces-anon
 */
export function parseBlocksRow(
  row: Readonly<Record<string, unknown>>,
  where: string,
  fields: BlockFields = mooncakeFields,
): BlocksRow {
  const timestamp = row[fields.timestamp];
  if (timestamp === undefined && 'delay' in row) {
    throw new InputError(
      `${where}: the row has a delay instead of a ${fields.timestamp}${'session_id' in row ? ', and a session_id' : ''}: requests that wait for a response, as in Dynamo’s traces, are not read; expected ${expectedTraces}.`,
    );
  }
  if (typeof timestamp !== 'number' || !(timestamp >= 0)) {
    throw new InputError(
      `${where}: ${fields.timestamp} must be milliseconds or seconds >= 0, not ${show(timestamp)}.`,
    );
  }
  const blockIds = row[fields.hashIds];
  if (!areBlockIds(blockIds)) {
    throw new InputError(
      `${where}: ${fields.hashIds} must be a list of whole numbers from 0 to 2^53 - 1, not ${show(blockIds)}.`,
    );
  }
  return {
    arrivalSeconds: timestamp,
    promptTokens: tokenCount(row, fields.inputLength, where),
    outputTokens: tokenCount(row, fields.outputLength, where),
    blockIds,
    hasChatIds: 'chat_id' in row && 'parent_chat_id' in row,
  };
}

export type TimeUnit = 's' | 'ms';

/** What the rows of a trace say about the unit of their timestamps. */
export interface TimestampFacts {
  /** Whether rows have `chat_id` and `parent_chat_id`, as only Qwen-Bailian's do. */
  readonly hasChatIds: boolean;
  /** Whether a timestamp has a fraction. */
  readonly hasFractions: boolean;
  readonly count: number;
  /** Last timestamp minus first, in the unit of the file. */
  readonly span: number;
}

/** The unit, and a sentence on why, where a reader should know. */
export interface ChosenUnit {
  readonly unit: TimeUnit;
  readonly note: string | undefined;
}

/**
 * Mean gaps between requests above which a unit is unlikely. Published traces have 0.1 to 30 requests per second: a gap
 * of ten minutes is no traffic, and 200 per second is more than any of them.
 */
const secondsGapMax = 600;
const fractionGapMax = 30;
const millisecondsGapMin = 5;
/** Gaps in milliseconds below which the unit is worth a note: 50 requests per second. */
const doubtfulGap = 20;

/** Returns the unit that the rows make likely. */
export function chooseTimeUnit(facts: TimestampFacts): ChosenUnit {
  const { hasChatIds, hasFractions, count, span } = facts;
  const gap = count > 1 ? span / (count - 1) : undefined;
  const rate = gap === undefined || gap === 0 ? '' : ` ${(1000 / gap).toFixed(0)} per second`;
  const seconds = (why: string): ChosenUnit => ({
    unit: 's',
    note: `timestamps read as seconds, because ${why}: ${counted(count, 'request')} over ${span.toFixed(1)} s; for milliseconds, give --trace-unit ms`,
  });
  const milliseconds = (why: string): ChosenUnit => ({
    unit: 'ms',
    note: `timestamps read as milliseconds, ${why}: ${counted(count, 'request')} over ${(span / 1000).toFixed(1)} s; for seconds, give --trace-unit s`,
  });
  if (hasChatIds) {
    if (gap === undefined || gap <= secondsGapMax) {
      return seconds('rows have chat_id and parent_chat_id, as Qwen-Bailian’s');
    }
    return milliseconds(
      `although rows have chat_id, because requests ${gap.toFixed(0)} s apart are no traffic`,
    );
  }
  if (gap === undefined || span === 0) return { unit: 'ms', note: undefined };
  if (hasFractions && gap <= fractionGapMax) {
    return seconds(`they have fractions, and in milliseconds there would be${rate}`);
  }
  if (!hasFractions && gap < millisecondsGapMin) {
    return seconds(`in milliseconds there would be${rate}`);
  }
  if (hasFractions || gap < doubtfulGap) return milliseconds('as in Mooncake’s traces');
  return { unit: 'ms', note: undefined };
}

/** @throws {InputError} If the line is not a JSON object. */
export function parseObject(line: string, where: string): Record<string, unknown> {
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

function tokenCount(row: Readonly<Record<string, unknown>>, name: string, where: string): number {
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
