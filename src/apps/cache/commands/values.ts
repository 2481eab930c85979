// Commands that read and write values.
import { type ClientStore, keyLengthMax, type ValueWriter } from '../../../core/cache/index.ts';
import {
  arrayHead,
  bulk,
  bulkHead,
  errorReply,
  integerReply,
  lineEnd,
  nullReply,
  ok,
} from '../../../core/resp/index.ts';
import {
  any,
  argumentsError,
  leaseFor,
  type Reply,
  type RespCall,
  type RespCommand,
  replyValue,
  type StreamedValue,
} from './call.ts';
import {
  type ExpiryTime,
  integerIn,
  noInteger,
  readSetOptions,
  readTime,
  syntaxError,
} from './set-options.ts';

export const valueCommands: Readonly<Record<string, RespCommand>> = {
  SET: { min: 2, max: any, run: set },
  SETEX: { min: 3, max: 3, run: (call, args, value) => setFor(call, args, 'EX', value) },
  PSETEX: { min: 3, max: 3, run: (call, args, value) => setFor(call, args, 'PX', value) },
  SETNX: {
    min: 2,
    max: 2,
    run(call, [key = '', value = '']) {
      if (call.store.size(key) !== undefined) return integerReply(0);
      return put(key, written(call.store, key, value)) ?? integerReply(1);
    },
  },
  GET: { min: 1, max: 1, run: (call, [key = '']) => replyValue(call, key) },
  GETDEL: {
    min: 1,
    max: 1,
    run(call, [key = '']) {
      const reply = replyValue(call, key);
      call.store.remove([key]);
      return reply;
    },
  },
  GETEX: { min: 1, max: any, run: getAndExpire },
  GETRANGE: { min: 3, max: 3, run: getRange },
  SUBSTR: { min: 3, max: 3, run: getRange },
  STRLEN: {
    min: 1,
    max: 1,
    run: ({ store }, [key = '']) => integerReply(store.size(key) ?? 0),
  },
  MGET: {
    min: 1,
    max: any,
    run(call, keys) {
      call.replies.write(arrayHead(keys.length));
      for (const key of keys) {
        const reply = replyValue(call, key);
        if (reply !== undefined) call.replies.write(reply);
      }
      return undefined;
    },
  },
  MSET: { min: 2, max: any, run: setAll },
};

const firstKey = (args: readonly string[]) => args.slice(0, 1);

/** The keys whose values a command reads, from the arguments after its name. */
export const keysRead: Readonly<Record<string, (args: readonly string[]) => readonly string[]>> = {
  ...{ GET: firstKey, GETDEL: firstKey, GETEX: firstKey, GETRANGE: firstKey, SUBSTR: firstKey },
  MGET: (args) => args,
  SET: (args) => (args.slice(2).some((word) => word.toUpperCase() === 'GET') ? firstKey(args) : []),
  // The time of a value is set in memory.
  ...{ EXPIRE: firstKey, PEXPIRE: firstKey, EXPIREAT: firstKey, PEXPIREAT: firstKey },
  PERSIST: firstKey,
  // Another server asks for what is to be read next.
  'PEER.INFO': firstKey,
};

/** Commands whose value may be streamed into the store, by the number of words before it. */
export const streamedAt: Readonly<Record<string, number>> = {
  ...{ SET: 2, SETEX: 3, PSETEX: 3, 'PEER.SET': 5 },
};

function set(
  call: RespCall,
  [key = '', value = '', ...options]: readonly string[],
  streamed?: StreamedValue,
): Reply {
  const { store, replies, version } = call;
  const read = readSetOptions(options);
  if (typeof read === 'string') return errorReply(read);
  const { expiry, onlyIf, returnsOld, keepsTtl } = read;
  const exists = store.size(key) !== undefined;
  const old = returnsOld ? leaseFor(replies, store, key) : undefined;
  const isSet = onlyIf === undefined || exists === (onlyIf === 'exists');
  if (isSet) {
    const kept = keepsTtl ? store.ttlSeconds(key) : undefined;
    const writer = streamed?.writer ?? written(store, key, value);
    const refusal = put(key, writer, expiry ? ttlOf(call, expiry) : kept);
    if (refusal !== undefined) return refusal;
  }
  if (!returnsOld) return isSet ? ok : nullReply(version);
  if (old === undefined) return nullReply(version);
  replies.writeValue(bulkHead(old.size), old, lineEnd);
  return undefined;
}

/** GETEX: its options come before its value. */
function getAndExpire(call: RespCall, [key = '', ...words]: readonly string[]): Reply {
  const { store } = call;
  const [word = '', time] = words;
  const unit = word.toUpperCase();
  const isPersisting = unit === 'PERSIST' && words.length === 1;
  const isTimed = ['EX', 'PX', 'EXAT', 'PXAT'].includes(unit) && words.length === 2;
  if (words.length > 0 && !isPersisting && !isTimed) return errorReply(syntaxError);
  const expiry = isTimed ? readTime(time as string, unit, 'getex') : undefined;
  if (typeof expiry === 'string') return errorReply(expiry);
  const reply = replyValue(call, key);
  if (isPersisting) store.expire(key, any);
  else if (expiry !== undefined) store.expire(key, ttlOf(call, expiry));
  return reply;
}

/** SETEX and PSETEX. */
function setFor(
  call: RespCall,
  [key = '', time = '', value = '']: readonly string[],
  unit: 'EX' | 'PX',
  streamed?: StreamedValue,
): Reply {
  const read = readTime(time, unit, unit === 'EX' ? 'setex' : 'psetex');
  if (typeof read === 'string') return errorReply(read);
  const writer = streamed?.writer ?? written(call.store, key, value);
  return put(key, writer, read.seconds) ?? ok;
}

function setAll({ store }: RespCall, args: readonly string[]): Reply {
  if (args.length % 2 === 1) return errorReply(argumentsError('mset'));
  for (let i = 0; i < args.length; i += 2) {
    const key = args[i] as string;
    const refusal = put(key, written(store, key, args[i + 1] as string));
    if (refusal !== undefined) return refusal;
  }
  return ok;
}

/** Seconds from now; not positive if the time is over. */
function ttlOf({ wallClock }: RespCall, { seconds, isAbsolute }: ExpiryTime): number {
  return isAbsolute ? seconds - wallClock.nowSeconds() : seconds;
}

/** A value in the store's memory that is not yet visible. */
function written(store: ClientStore, key: string, value: string): ValueWriter {
  const writer = store.receive(key, value.length);
  writer.write(Buffer.from(value, 'latin1'));
  return writer;
}

/** Makes a value visible. A value without room is a miss from then on, which a cache may have; so is no error. */
function put(key: string, writer: ValueWriter, ttlSeconds = any): Reply {
  if (key.length > keyLengthMax) {
    writer.abort();
    return errorReply(`ERR the key is ${key.length} bytes long; the maximum is ${keyLengthMax}`);
  }
  writer.commit(ttlSeconds);
  return undefined;
}

/** Both ends are included; negative ones count from the end, and stop at the beginning. */
function getRange(
  { store, replies }: RespCall,
  [key = '', from = '', to = '']: readonly string[],
): Reply {
  const [first, last] = [integerIn(from), integerIn(to)];
  if (first === undefined || last === undefined) return errorReply(noInteger);
  const value = leaseFor(replies, store, key);
  const size = value?.size ?? 0;
  const place = (at: number) => Math.max(0, at < 0 ? size + at : at);
  const start = place(first);
  const end = Math.min(size, place(last) + 1);
  if (value === undefined || start >= end || (first < 0 && last < 0 && first > last)) {
    value?.release();
    return bulk('');
  }
  replies.writeValue(bulkHead(end - start), value, lineEnd, { from: start, to: end });
  return undefined;
}
