// The commands of Redis that clients of a KV cache send.
import type { MemoryStore, ValueWriter } from '../../core/cache/index.ts';
import {
  arrayHead,
  bulk,
  bulkHead,
  errorReply,
  integerReply,
  lineEnd,
  mapReply,
  nullReply,
  ok,
  type RespVersion,
  simple,
} from '../../core/resp/index.ts';
import type { ReplyWriter } from './reply-writer.ts';
import { integerIn, noInteger, readSetOptions } from './set-options.ts';

/** A client and its store. */
export interface RespCall {
  readonly store: MemoryStore;
  readonly replies: ReplyWriter;
  /** Number of the connection. */
  readonly id: number;
  version: RespVersion;
  name: string;
}

/** A value that is in the store's memory already; undefined where there was no room. */
export interface StreamedValue {
  readonly writer: ValueWriter | undefined;
}

/** A reply that is still to be written. */
export type Reply = Uint8Array | undefined;

interface RespCommand {
  /** Number of arguments after the name. */
  readonly min: number;
  readonly max: number;
  /** @returns The reply, unless it was written already. */
  run(call: RespCall, args: readonly string[], streamed?: StreamedValue): Reply;
}

const any = Number.POSITIVE_INFINITY;

/** By name, in capitals. */
export const respCommands: ReadonlyMap<string, RespCommand> = new Map<string, RespCommand>([
  [
    'PING',
    {
      min: 0,
      max: 1,
      run: (_call, [text]) => (text === undefined ? simple('PONG') : bulk(text)),
    },
  ],
  ['ECHO', { min: 1, max: 1, run: (_call, [text = '']) => bulk(text) }],
  ['SET', { min: 2, max: any, run: set }],
  [
    'SETEX',
    {
      min: 3,
      max: 3,
      run: (call, [key = '', seconds = '', value = ''], streamed) =>
        set(call, [key, value, 'EX', seconds], streamed),
    },
  ],
  ['GET', { min: 1, max: 1, run: (call, [key = '']) => get(call, key) }],
  ['GETRANGE', { min: 3, max: 3, run: getRange }],
  [
    'STRLEN',
    {
      min: 1,
      max: 1,
      run: ({ store }, [key = '']) => integerReply(store.size(key) ?? 0),
    },
  ],
  [
    'EXISTS',
    {
      min: 1,
      max: any,
      run: ({ store }, keys) => integerReply(keys.filter((key) => store.exists(key)).length),
    },
  ],
  ['DEL', { min: 1, max: any, run: remove }],
  ['UNLINK', { min: 1, max: any, run: remove }],
  [
    'MGET',
    {
      min: 1,
      max: any,
      run: (call, keys) => {
        call.replies.write(arrayHead(keys.length));
        for (const key of keys) {
          const reply = get(call, key);
          if (reply !== undefined) call.replies.write(reply);
        }
        return undefined;
      },
    },
  ],
  ['MSET', { min: 2, max: any, run: setAll }],
  ['TTL', { min: 1, max: 1, run: (call, [key = '']) => ttl(call, key, 1) }],
  ['PTTL', { min: 1, max: 1, run: (call, [key = '']) => ttl(call, key, 1000) }],
  ['EXPIRE', { min: 2, max: 2, run: (call, args) => expire(call, args, 1) }],
  ['PEXPIRE', { min: 2, max: 2, run: (call, args) => expire(call, args, 1000) }],
  [
    'TYPE',
    {
      min: 1,
      max: 1,
      run: ({ store }, [key = '']) => simple(store.size(key) === undefined ? 'none' : 'string'),
    },
  ],
  [
    'DBSIZE',
    {
      min: 0,
      max: 0,
      run: ({ store }) => integerReply(store.stats.entries),
    },
  ],
  ['FLUSHALL', { min: 0, max: 1, run: flush }],
  ['FLUSHDB', { min: 0, max: 1, run: flush }],
  [
    'SELECT',
    {
      min: 1,
      max: 1,
      run: (_call, [index]) => (index === '0' ? ok : errorReply('ERR DB index is out of range')),
    },
  ],
  ['INFO', { min: 0, max: any, run: info }],
  ['CLIENT', { min: 1, max: any, run: client }],
  [
    'COMMAND',
    {
      min: 0,
      max: any,
      run: (_call, [what]) =>
        what?.toUpperCase() === 'COUNT' ? integerReply(respCommands.size) : arrayHead(0),
    },
  ],
  [
    'CONFIG',
    {
      min: 1,
      max: any,
      run: ({ version }, [what]) =>
        what?.toUpperCase() === 'GET'
          ? mapReply(version, [])
          : errorReply('ERR CONFIG is read-only'),
    },
  ],
  ['SCAN', { min: 1, max: any, run: scan }],
  ['MEMORY', { min: 1, max: any, run: memory }],
  [
    'ACL',
    {
      min: 1,
      max: any,
      run: (_call, [what]) =>
        what?.toUpperCase() === 'WHOAMI'
          ? bulk('default')
          : errorReply(`ERR unknown subcommand '${what?.slice(0, 128)}'. Try ACL HELP.`),
    },
  ],
  [
    'QUIT',
    {
      min: 0,
      max: any,
      run: ({ replies }) => {
        replies.end(ok);
        return undefined;
      },
    },
  ],
]);

function set(
  { store, replies, version }: RespCall,
  [key = '', value = '', ...options]: readonly string[],
  streamed?: StreamedValue,
): Reply {
  const read = readSetOptions(options);
  if (typeof read === 'string') return errorReply(read);
  const { ttlSeconds, onlyIf, returnsOld, keepsTtl } = read;
  const exists = store.size(key) !== undefined;
  const old = returnsOld ? store.lease(key) : undefined;
  const isSet = onlyIf === undefined || exists === (onlyIf === 'exists');
  if (isSet) {
    const kept = keepsTtl ? store.ttlSeconds(key) : undefined;
    const writer = streamed === undefined ? written(store, key, value) : streamed.writer;
    writer?.commit(ttlSeconds ?? kept ?? any);
  }
  if (!returnsOld) return isSet ? ok : nullReply(version);
  if (old === undefined) return nullReply(version);
  replies.writeValue(bulkHead(old.size), old, lineEnd);
  return undefined;
}

function setAll({ store }: RespCall, args: readonly string[]): Reply {
  if (args.length % 2 === 1) {
    return errorReply("ERR wrong number of arguments for 'mset' command");
  }
  for (let i = 0; i < args.length; i += 2) {
    written(store, args[i] as string, args[i + 1] as string)?.commit();
  }
  return ok;
}

/** A value in the store's memory that is not yet visible. */
function written(store: MemoryStore, key: string, value: string): ValueWriter | undefined {
  const writer = store.reserve(key, value.length);
  writer?.write(Buffer.from(value, 'latin1'));
  return writer;
}

function get({ store, replies, version }: RespCall, key: string): Reply {
  // A miss is always right for a cache; a client that does not read must not hold all of its memory.
  const value = replies.isCrowded ? undefined : store.lease(key);
  if (value === undefined) return nullReply(version);
  replies.writeValue(bulkHead(value.size), value, lineEnd);
  return undefined;
}

/** Both ends are included; negative ones count from the end. */
function getRange(
  { store, replies }: RespCall,
  [key = '', from = '', to = '']: readonly string[],
): Reply {
  const [first, last] = [integerIn(from), integerIn(to)];
  if (first === undefined || last === undefined) return errorReply(noInteger);
  const value = store.lease(key);
  const size = value?.size ?? 0;
  const start = Math.max(0, first < 0 ? size + first : first);
  const end = Math.min(size, (last < 0 ? size + last : last) + 1);
  if (value === undefined || start >= end) {
    value?.release();
    return bulk('');
  }
  const spans = cut(value.spans, start, end);
  replies.writeValue(bulkHead(end - start), { ...value, spans }, lineEnd);
  return undefined;
}

function cut(spans: readonly Uint8Array[], start: number, end: number): Uint8Array[] {
  let at = 0;
  return spans.flatMap((span) => {
    const part = span.subarray(Math.max(0, start - at), Math.max(0, end - at));
    at += span.length;
    return part.length === 0 ? [] : [part];
  });
}

function remove({ store }: RespCall, keys: readonly string[]): Reply {
  return integerReply(keys.filter((key) => store.delete(key)).length);
}

function ttl({ store }: RespCall, key: string, unitsPerSecond: number): Reply {
  const seconds = store.ttlSeconds(key);
  // Redis: -2 without a value, -1 without an end.
  if (seconds === undefined) return integerReply(-2);
  return integerReply(seconds === any ? -1 : Math.round(seconds * unitsPerSecond));
}

function expire(
  { store }: RespCall,
  [key = '', time = '']: readonly string[],
  unitsPerSecond: number,
): Reply {
  const value = integerIn(time);
  if (value === undefined) return errorReply(noInteger);
  return integerReply(store.expire(key, value / unitsPerSecond) ? 1 : 0);
}

/** Keys that one SCAN returns at most, whatever its COUNT. */
const scannedMax = 10_000;

/** Cursors are positions in the order of use, so that a key which is read between two calls can be missed. */
function scan({ store }: RespCall, [cursor = '', ...options]: readonly string[]): Reply {
  const from = integerIn(cursor);
  if (from === undefined || from < 0) return errorReply('ERR invalid cursor');
  let count = 10;
  for (let i = 0; i < options.length; i += 2) {
    const value = options[i + 1];
    const number = integerIn(value ?? '');
    if (options[i]?.toUpperCase() !== 'COUNT' || number === undefined || number < 1) {
      return errorReply('ERR syntax error');
    }
    count = Math.min(number, scannedMax);
  }
  const keys: string[] = [];
  let at = 0;
  for (const key of store.keys()) {
    if (keys.length === count) break;
    if (at++ >= from) keys.push(key);
  }
  const next = keys.length < count ? 0 : from + count;
  const parts = [arrayHead(2), bulk(`${next}`), arrayHead(keys.length), ...keys.map(bulk)];
  return Buffer.concat(parts);
}

function memory({ store, version }: RespCall, [what = '', key = '']: readonly string[]): Reply {
  if (what.toUpperCase() !== 'USAGE') {
    return errorReply(`ERR unknown subcommand '${what.slice(0, 128)}'. Try MEMORY HELP.`);
  }
  const size = store.size(key);
  return size === undefined ? nullReply(version) : integerReply(size + key.length);
}

function flush({ store }: RespCall): Reply {
  store.clear();
  return ok;
}

function info({ store }: RespCall): Reply {
  const { entries, bytes, bytesMax, hits, misses, evictions } = store.stats;
  return bulk(
    [
      '# Server',
      'redis_version:7.0.0',
      'redis_mode:standalone',
      '# Memory',
      `used_memory:${bytes}`,
      `maxmemory:${bytesMax}`,
      '# Stats',
      `keyspace_hits:${hits}`,
      `keyspace_misses:${misses}`,
      `evicted_keys:${evictions}`,
      '# Replication',
      'role:master',
      'connected_slaves:0',
      '# Keyspace',
      `db0:keys=${entries},expires=0,avg_ttl=0`,
      '',
    ].join('\r\n'),
  );
}

function client(call: RespCall, [what = '', value = '']: readonly string[]): Reply {
  switch (what.toUpperCase()) {
    case 'SETNAME':
      call.name = value;
      return ok;
    case 'SETINFO':
      return ok;
    case 'GETNAME':
      return bulk(call.name);
    case 'ID':
      return integerReply(call.id);
    default:
      return errorReply(`ERR unknown subcommand '${what.slice(0, 128)}'. Try CLIENT HELP.`);
  }
}
