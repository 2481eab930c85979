// The options of Redis' SET, EXPIRE and SCAN, and its numbers.
import { globMatcher } from '../../../core/resp/index.ts';

/** Beyond it a time in milliseconds is no 64-bit integer. */
const timeMsMax = 2 ** 63;

export const noInteger = 'ERR value is not an integer or out of range';
export const syntaxError = 'ERR syntax error';

/** A time: in seconds from now, or since 1970. */
export interface ExpiryTime {
  readonly seconds: number;
  readonly isAbsolute: boolean;
}

/** What SET is to do besides setting. */
export interface SetOptions {
  readonly expiry: ExpiryTime | undefined;
  readonly onlyIf: 'exists' | 'absent' | undefined;
  /** GET: reply with the value before. */
  readonly returnsOld: boolean;
  readonly keepsTtl: boolean;
}

const unitsPerSecond: Readonly<Record<string, number>> = { EX: 1, PX: 1000, EXAT: 1, PXAT: 1000 };

/** Reads a 64-bit integer as Redis does: digits only. Large ones are rounded. */
export function integerIn(text: string): number | undefined {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return undefined;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? Number(value) : undefined;
}

/** @returns The options, or Redis' error. */
export function readSetOptions(words: readonly string[]): SetOptions | string {
  let time: { readonly unit: string; readonly text: string } | undefined;
  let onlyIf: SetOptions['onlyIf'];
  let [returnsOld, keepsTtl] = [false, false];
  for (let i = 0; i < words.length; i++) {
    const word = (words[i] as string).toUpperCase();
    const condition = { NX: 'absent', XX: 'exists' }[word] as SetOptions['onlyIf'];
    if (unitsPerSecond[word] !== undefined && (time?.unit ?? word) === word && !keepsTtl) {
      const text = words[++i];
      if (text === undefined) return syntaxError;
      time = { unit: word, text };
    } else if (condition !== undefined && (onlyIf ?? condition) === condition) {
      onlyIf = condition;
    } else if (word === 'GET') {
      returnsOld = true;
    } else if (word === 'KEEPTTL' && time === undefined) {
      keepsTtl = true;
    } else {
      return syntaxError;
    }
  }
  const expiry = time && readTime(time.text, time.unit, 'set');
  if (typeof expiry === 'string') return expiry;
  return { expiry, onlyIf, returnsOld, keepsTtl };
}

/**
 * Reads a time that has to be positive.
 *
 * @param unit EX, PX, EXAT or PXAT.
 * @returns The time, or Redis' error.
 */
export function readTime(text: string, unit: string, command: string): ExpiryTime | string {
  const value = integerIn(text);
  if (value === undefined) return noInteger;
  const seconds = value / (unitsPerSecond[unit] as number);
  if (value <= 0 || seconds * 1000 >= timeMsMax / 2) {
    return `ERR invalid expire time in '${command}' command`;
  }
  return { seconds, isAbsolute: unit.endsWith('AT') };
}

/** Conditions of EXPIRE. */
export interface ExpireOptions {
  readonly onlyWithout: boolean;
  readonly onlyWith: boolean;
  readonly onlyLater: boolean;
  readonly onlyEarlier: boolean;
}

/** @returns The options, or Redis' error. */
export function readExpireOptions(words: readonly string[]): ExpireOptions | string {
  const given = new Set(words.map((word) => word.toUpperCase()));
  for (const word of words) {
    if (!['NX', 'XX', 'GT', 'LT'].includes(word.toUpperCase())) {
      return `ERR Unsupported option ${word}`;
    }
  }
  const [nx, xx, gt, lt] = ['NX', 'XX', 'GT', 'LT'].map((word) => given.has(word));
  if (nx === true && (xx || gt || lt)) {
    return 'ERR NX and XX, GT or LT options at the same time are not compatible';
  }
  if (gt === true && lt === true) {
    return 'ERR GT and LT options at the same time are not compatible';
  }
  return {
    onlyWithout: nx === true,
    onlyWith: xx === true,
    onlyLater: gt === true,
    onlyEarlier: lt === true,
  };
}

/** Reads the time of EXPIRE, which may be over already. @returns Seconds, or Redis' error. */
export function readExpire(text: string, perSecond: number, command: string): number | string {
  const value = integerIn(text);
  if (value === undefined) return noInteger;
  const seconds = value / perSecond;
  // The time now counts, too; half of the range is far beyond all clocks.
  return Math.abs(seconds * 1000) >= timeMsMax / 2
    ? `ERR invalid expire time in '${command}' command`
    : seconds;
}

export interface ScanOptions {
  /** Keys looked at. */
  readonly count: number;
  readonly matches: (key: string) => boolean;
  /** False for a type of which there are no values. */
  readonly hasType: boolean;
}

/** Keys that one SCAN looks at, whatever its COUNT. */
const scannedMax = 10_000;
/** Characters that one SCAN compares at most, if a pattern has several `*`; it looks at fewer keys then. */
const comparedMax = 10_000_000;
const scannedLengthMax = 4096;

/** @returns The options, or Redis' error. */
export function readScanOptions(words: readonly string[]): ScanOptions | string {
  let [count, pattern, hasType] = [10, '*', true];
  for (let i = 0; i < words.length; i += 2) {
    const [word, value] = [words[i]?.toUpperCase(), words[i + 1]];
    if (value === undefined) return syntaxError;
    if (word === 'COUNT') {
      const number = integerIn(value);
      if (number === undefined) return noInteger;
      if (number < 1) return syntaxError;
      count = Math.min(number, scannedMax);
    } else if (word === 'MATCH') pattern = value;
    else if (word === 'TYPE') hasType = value.toLowerCase() === 'string';
    else return syntaxError;
  }
  const isCostly = pattern.split('*').length > 2;
  const affordable = Math.ceil(comparedMax / (scannedLengthMax * pattern.length));
  if (isCostly) count = Math.min(count, affordable);
  return { count, matches: globMatcher(pattern), hasType };
}
