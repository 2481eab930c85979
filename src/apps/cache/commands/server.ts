// Commands about the server and the connection.
import type { StoreStats } from '../../../core/cache/index.ts';
import {
  bulk,
  errorReply,
  integerReply,
  mapReply,
  nullReply,
  ok,
  simple,
  textReply,
} from '../../../core/resp/index.ts';
import { any, argumentsError, type Reply, type RespCall, type RespCommand } from './call.ts';
import { integerIn, noInteger, syntaxError } from './set-options.ts';

/** The version whose commands are spoken; clients choose their features by it. */
export const redisVersion = '7.0.0';

export const serverCommands: Readonly<Record<string, RespCommand>> = {
  PING: {
    min: 0,
    max: 1,
    run: (_call, [text]) => (text === undefined ? simple('PONG') : bulk(text)),
  },
  ECHO: { min: 1, max: 1, run: (_call, [text = '']) => bulk(text) },
  SELECT: {
    min: 1,
    max: 1,
    run(_call, [index = '']) {
      if (integerIn(index) === undefined) return errorReply(noInteger);
      return index === '0' ? ok : errorReply('ERR DB index is out of range');
    },
  },
  INFO: { min: 0, max: any, run: info },
  CLIENT: { min: 1, max: any, run: client },
  CONFIG: { min: 1, max: any, run: config },
  ACL: {
    min: 1,
    max: any,
    run({ user }, [what = '', ...more]) {
      if (what.toUpperCase() !== 'WHOAMI') return unknownSubcommand('ACL', what);
      return more.length === 0 ? bulk(user) : errorReply(argumentsError('acl|whoami'));
    },
  },
};

export function unknownSubcommand(command: string, what: string): Reply {
  return errorReply(`ERR unknown subcommand '${what.slice(0, 128)}'. Try ${command} HELP.`);
}

const sections: Readonly<
  Record<string, (stats: StoreStats, isCluster: boolean) => readonly string[]>
> = {
  Server: () => [`redis_version:${redisVersion}`, 'redis_mode:standalone'],
  Memory: ({ bytes, bytesMax }) => [`used_memory:${bytes}`, `maxmemory:${bytesMax}`],
  Stats: ({ hits, misses, evictions }) => [
    `keyspace_hits:${hits}`,
    `keyspace_misses:${misses}`,
    `evicted_keys:${evictions}`,
  ],
  Replication: () => ['role:master', 'connected_slaves:0'],
  Cluster: (_stats, isCluster) => [`cluster_enabled:${isCluster ? 1 : 0}`],
  Keyspace: ({ entries }) => (entries === 0 ? [] : [`db0:keys=${entries},expires=0,avg_ttl=0`]),
};

function info({ store, version, cluster }: RespCall, words: readonly string[]): Reply {
  const wanted = new Set(words.map((word) => word.toLowerCase()));
  const isAll =
    wanted.size === 0 || ['all', 'default', 'everything'].some((all) => wanted.has(all));
  const texts = Object.entries(sections)
    .filter(([name]) => isAll || wanted.has(name.toLowerCase()))
    .map(([name, lines]) =>
      [`# ${name}`, ...lines(store.stats, cluster !== undefined), ''].join('\r\n'),
    );
  return textReply(version, texts.join('\r\n'));
}

function client(call: RespCall, [what = '', ...values]: readonly string[]): Reply {
  const expected = clientArguments[what.toUpperCase()];
  if (expected === undefined) return unknownSubcommand('CLIENT', what);
  if (values.length !== expected) return errorReply(argumentsError(`client|${what}`));
  switch (what.toUpperCase()) {
    case 'SETNAME': {
      const name = values[0] ?? '';
      if (!isClientName(name)) return errorReply(badClientName);
      call.name = name;
      return ok;
    }
    case 'GETNAME':
      return call.name === '' ? nullReply(call.version) : bulk(call.name);
    case 'ID':
      return integerReply(call.id);
    case 'NO-EVICT':
    case 'NO-TOUCH':
      return /^(on|off)$/i.test(values[0] ?? '') ? ok : errorReply(syntaxError);
    default:
      return ok;
  }
}

/** Subcommands of CLIENT with their arguments; of those without effect, a client need not know. */
const clientArguments: Readonly<Record<string, number>> = {
  ...{ SETNAME: 1, GETNAME: 0, ID: 0, SETINFO: 2, 'NO-EVICT': 1, 'NO-TOUCH': 1 },
};

export const badClientName =
  'ERR Client names cannot contain spaces, newlines or special characters.';

export function isClientName(name: string): boolean {
  return /^[!-~]*$/.test(name);
}

function config({ store, version }: RespCall, [what = '', ...names]: readonly string[]): Reply {
  if (what.toUpperCase() !== 'GET') return unknownSubcommand('CONFIG', what);
  if (names.length === 0) return errorReply(argumentsError('config|get'));
  const settings: readonly (readonly [string, string])[] = [
    ['maxmemory', `${store.stats.bytesMax}`],
    ['maxmemory-policy', 'allkeys-lru'],
    ['save', ''],
    ['appendonly', 'no'],
    ['databases', '1'],
  ];
  const wanted = names.map((name) => name.toLowerCase());
  return mapReply(
    version,
    settings.filter(([name]) => wanted.includes(name) || wanted.includes('*')),
  );
}
