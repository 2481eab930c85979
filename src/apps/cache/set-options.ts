// The options of Redis' SET.

/** What SET is to do besides setting. */
export interface SetOptions {
  readonly ttlSeconds: number | undefined;
  readonly onlyIf: 'exists' | 'absent' | undefined;
  /** GET: reply with the value before. */
  readonly returnsOld: boolean;
  readonly keepsTtl: boolean;
}

const secondsPer: Readonly<Record<string, number>> = { EX: 1, PX: 1e-3 };

export const noInteger = 'ERR value is not an integer or out of range';

/** Reads a number as Redis does: digits only. */
export function integerIn(text: string): number | undefined {
  return /^(?:0|-?[1-9]\d{0,14})$/.test(text) ? Number(text) : undefined;
}

/** @returns The options, or Redis' error. */
export function readSetOptions(words: readonly string[]): SetOptions | string {
  let ttlSeconds: number | undefined;
  let onlyIf: SetOptions['onlyIf'];
  let [returnsOld, keepsTtl] = [false, false];
  for (let i = 0; i < words.length; i++) {
    const word = (words[i] as string).toUpperCase();
    const unit = secondsPer[word];
    if (unit !== undefined && ttlSeconds === undefined && !keepsTtl) {
      const text = words[++i] ?? '';
      if (text === '') return 'ERR syntax error';
      const value = integerIn(text);
      if (value === undefined) return noInteger;
      if (value <= 0) return "ERR invalid expire time in 'set' command";
      ttlSeconds = value * unit;
    } else if ((word === 'NX' || word === 'XX') && onlyIf === undefined) {
      onlyIf = word === 'NX' ? 'absent' : 'exists';
    } else if (word === 'GET') {
      returnsOld = true;
    } else if (word === 'KEEPTTL' && ttlSeconds === undefined) {
      keepsTtl = true;
    } else {
      return 'ERR syntax error';
    }
  }
  return { ttlSeconds, onlyIf, returnsOld, keepsTtl };
}
