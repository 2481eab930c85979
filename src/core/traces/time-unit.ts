// The unit of the timestamps of a trace with block ids: Mooncake's are milliseconds, Qwen-Bailian's seconds.
import { counted } from '../base/index.ts';

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
