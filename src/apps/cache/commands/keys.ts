// Commands about keys: whether they exist, for how long, and which there are.
import {
  arrayHead,
  bulk,
  errorReply,
  globMatcher,
  integerReply,
  nullReply,
  ok,
  simple,
} from '../../../core/resp/index.ts';
import { bytesPerKey } from '../command-turns.ts';
import {
  any,
  argumentsError,
  countEntries,
  type Reply,
  type RespCall,
  type RespCommand,
  type Steps,
} from './call.ts';
import { unknownSubcommand } from './server.ts';
import {
  integerIn,
  noInteger,
  readExpire,
  readExpireOptions,
  readScanOptions,
  syntaxError,
} from './set-options.ts';

export const keyCommands: Readonly<Record<string, RespCommand>> = {
  EXISTS: {
    min: 1,
    max: any,
    run: ({ store }, keys) => integerReply(keys.filter((key) => store.exists(key)).length),
  },
  TOUCH: {
    min: 1,
    max: any,
    run: ({ store }, keys) => integerReply(keys.filter((key) => store.touch(key)).length),
  },
  DEL: { min: 1, max: any, run: remove },
  UNLINK: { min: 1, max: any, run: remove },
  TTL: { min: 1, max: 1, run: (call, [key = '']) => ttl(call, key, 1) },
  PTTL: { min: 1, max: 1, run: (call, [key = '']) => ttl(call, key, 1000) },
  EXPIRETIME: { min: 1, max: 1, run: (call, [key = '']) => ttl(call, key, 1, true) },
  PEXPIRETIME: { min: 1, max: 1, run: (call, [key = '']) => ttl(call, key, 1000, true) },
  EXPIRE: expiring('expire', 1),
  PEXPIRE: expiring('pexpire', 1000),
  EXPIREAT: expiring('expireat', 1, true),
  PEXPIREAT: expiring('pexpireat', 1000, true),
  PERSIST: {
    min: 1,
    max: 1,
    run({ store }, [key = '']) {
      const seconds = store.ttlSeconds(key);
      return integerReply(
        seconds !== undefined && seconds !== any && store.expire(key, any) ? 1 : 0,
      );
    },
  },
  TYPE: {
    min: 1,
    max: 1,
    run: ({ store }, [key = '']) => simple(store.size(key) === undefined ? 'none' : 'string'),
  },
  KEYS: { min: 1, max: 1, isHeavy: true, run: keysMatching },
  SCAN: { min: 1, max: any, isHeavy: true, run: scan },
  DBSIZE: { min: 0, max: 0, isHeavy: true, run: dbSize },
  FLUSHALL: { min: 0, max: any, isHeavy: true, run: flush },
  FLUSHDB: { min: 0, max: any, isHeavy: true, run: flush },
  MEMORY: {
    min: 1,
    max: any,
    run({ store, version }, [what = '', key, ...options]) {
      if (what.toUpperCase() !== 'USAGE') return unknownSubcommand('MEMORY', what);
      if (key === undefined) return errorReply(argumentsError('memory|usage'));
      const [option = 'SAMPLES', count = '0'] = options;
      if (options.length === 1 || options.length > 2 || option.toUpperCase() !== 'SAMPLES') {
        return errorReply(syntaxError);
      }
      const samples = integerIn(count);
      if (samples === undefined) return errorReply(noInteger);
      if (samples < 0) return errorReply(syntaxError);
      const size = store.size(key);
      return size === undefined ? nullReply(version) : integerReply(size + key.length);
    },
  },
};

function remove({ store }: RespCall, keys: readonly string[]): Reply {
  return integerReply(store.remove(keys));
}

function ttl(
  { store, wallClock }: RespCall,
  key: string,
  unitsPerSecond: number,
  isAbsolute = false,
): Reply {
  const seconds = store.ttlSeconds(key);
  // Redis: -2 without a value, -1 without an end.
  if (seconds === undefined) return integerReply(-2);
  if (seconds === any) return integerReply(-1);
  // A value that was promised to a client may outlive its time.
  const left = Math.max(0, seconds) + (isAbsolute ? wallClock.nowSeconds() : 0);
  return integerReply(Math.round(left * unitsPerSecond));
}

function expiring(name: string, unitsPerSecond: number, isAbsolute = false): RespCommand {
  const run = (
    { store, wallClock }: RespCall,
    [key = '', time = '', ...words]: readonly string[],
  ): Reply => {
    // Redis reads the options first, then the time.
    const options = readExpireOptions(words);
    if (typeof options === 'string') return errorReply(options);
    const given = readExpire(time, unitsPerSecond, name);
    if (typeof given === 'string') return errorReply(given);
    const seconds = isAbsolute ? given - wallClock.nowSeconds() : given;
    const before = store.ttlSeconds(key);
    const { onlyWithout, onlyWith, onlyLater, onlyEarlier } = options;
    const isRefused =
      before === undefined ||
      (onlyWithout && before !== any) ||
      (onlyWith && before === any) ||
      (onlyLater && seconds <= before) ||
      (onlyEarlier && seconds >= before);
    return integerReply(!isRefused && store.expire(key, seconds) ? 1 : 0);
  };
  return { min: 2, max: any, run };
}

function* dbSize(call: RespCall): Steps {
  return integerReply(yield* countEntries(call));
}

function scan({ store, valueTurns }: RespCall, [cursor = '', ...words]: readonly string[]): Reply {
  // Cursors are unsigned; one beyond all keys ends the scan.
  const from = /^-?\d{1,20}$/.test(cursor) ? BigInt(cursor) : undefined;
  if (from === undefined || from >= 1n << 64n) return errorReply('ERR invalid cursor');
  const options = readScanOptions(words);
  if (typeof options === 'string') return errorReply(options);
  const { count, matches, hasType } = options;
  const { keys, next } = store.scan(from < 0n ? any : Number(from), count);
  valueTurns.spend(count * bytesPerKey);
  const found = hasType ? keys.filter(matches) : [];
  const parts = [arrayHead(2), bulk(`${next}`), arrayHead(found.length), ...found.map(bulk)];
  return Buffer.concat(parts);
}

/** Keys that KEYS looks at. */
const keysMax = 250_000;
/** Characters that it compares at most, if a pattern has several `*`. */
const comparedMax = 100_000_000;
/** Bytes of the keys in its reply: as many keys as it looks at, of the usual length. */
const keyBytesMax = 32 << 20;
/** Keys of one step. */
const stepKeys = 1_000;

function* keysMatching({ store, valueTurns }: RespCall, [pattern = '']: readonly string[]): Steps {
  const isCostly = pattern.split('*').length > 2;
  const matches = globMatcher(pattern);
  // From two tiers, a key may come twice.
  const found = new Set<string>();
  let [seen, compared, bytes] = [0, 0, 0];
  for (let cursor = 0; ; ) {
    const { keys, next } = store.scan(cursor, stepKeys);
    seen += keys.length;
    for (const key of keys) {
      if (isCostly) compared += key.length * pattern.length;
      if (!matches(key)) continue;
      found.add(key);
      bytes += key.length;
    }
    if (bytes > keyBytesMax) {
      return errorReply(
        `ERR the keys have more bytes than KEYS replies with, which are ${keyBytesMax}; use SCAN`,
      );
    }
    if (next === 0) break;
    if (seen >= keysMax || compared > comparedMax) {
      return errorReply(`ERR there are more keys than KEYS looks at, which are ${seen}; use SCAN`);
    }
    cursor = next;
    valueTurns.spend(stepKeys * bytesPerKey);
    yield;
  }
  // One text: an array of bytes for each key would take ten times as long.
  const texts = Array.from(found, (key) => `$${key.length}\r\n${key}\r\n`);
  return Buffer.concat([arrayHead(found.size), Buffer.from(texts.join(''), 'latin1')]);
}

function flush({ store }: RespCall, words: readonly string[]): Reply {
  const how = words[0]?.toUpperCase() ?? 'SYNC';
  if (words.length > 1 || (how !== 'SYNC' && how !== 'ASYNC'))
    return errorReply('ERR syntax error');
  store.flush();
  return ok;
}
