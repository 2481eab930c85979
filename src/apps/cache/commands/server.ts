// Commands about the server and the connection.
import type { StoreStats } from '../../../core/cache/index.ts';
import {
  arrayHead,
  bulk,
  errorReply,
  integerReply,
  mapReply,
  nullReply,
  ok,
  simple,
  textReply,
} from '../../../core/resp/index.ts';
import { clientLine, type RespClient } from '../resp-clients.ts';
import {
  any,
  argumentsError,
  countEntries,
  type Reply,
  type RespCall,
  type RespCommand,
  type Steps,
} from './call.ts';
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
  INFO: { min: 0, max: any, isHeavy: true, run: info },
  CLIENT: { min: 1, max: any, run: client },
  TIME: {
    min: 0,
    max: 0,
    run({ wallClock }) {
      const microseconds = Math.floor(wallClock.nowSeconds() * 1e6);
      const parts = [Math.floor(microseconds / 1e6), microseconds % 1e6].map((part) =>
        bulk(`${part}`),
      );
      return Buffer.concat([arrayHead(2), ...parts]);
    },
  },
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

/** A call's view of the server. */
type InfoCall = StoreStats & { readonly isCluster: boolean; readonly clients: number };

const sections: Readonly<Record<string, (call: InfoCall) => readonly string[]>> = {
  Server: () => [`redis_version:${redisVersion}`, 'redis_mode:standalone'],
  Clients: ({ clients }) => [`connected_clients:${clients}`, 'blocked_clients:0'],
  Memory: ({ bytes, bytesMax }) => [`used_memory:${bytes}`, `maxmemory:${bytesMax}`],
  Stats: ({ hits, misses, evictions }) => [
    `keyspace_hits:${hits}`,
    `keyspace_misses:${misses}`,
    `evicted_keys:${evictions}`,
  ],
  Replication: () => ['role:master', 'connected_slaves:0'],
  Cluster: ({ isCluster }) => [`cluster_enabled:${isCluster ? 1 : 0}`],
  Keyspace: ({ entries }) => (entries === 0 ? [] : [`db0:keys=${entries},expires=0,avg_ttl=0`]),
};

function* info(call: RespCall, words: readonly string[]): Steps {
  const { store, version, cluster } = call;
  const wanted = new Set(words.map((word) => word.toLowerCase()));
  const isAll =
    wanted.size === 0 || ['all', 'default', 'everything'].some((all) => wanted.has(all));
  const shown = Object.entries(sections).filter(
    ([name]) => isAll || wanted.has(name.toLowerCase()),
  );
  const hasKeys = shown.some(([name]) => name === 'Keyspace');
  const { stats } = store;
  const state = {
    ...stats,
    // As DBSIZE, which counts the tiers below memory, too.
    entries: hasKeys ? yield* countEntries(call) : 0,
    ...{ isCluster: cluster !== undefined, clients: clientsOf(call).length },
  };
  const texts = shown.map(([name, lines]) => [`# ${name}`, ...lines(state), ''].join('\r\n'));
  return textReply(version, texts.join('\r\n'));
}

function client(call: RespCall, [what = '', ...values]: readonly string[]): Reply {
  if (what.toUpperCase() === 'LIST') return clientList(call, values);
  if (what.toUpperCase() === 'TRACKING' && values[0]?.toUpperCase() !== 'OFF') {
    return errorReply(
      'ERR CLIENT TRACKING is not supported: the server does not tell clients which keys have changed',
    );
  }
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
    case 'SETINFO': {
      const [option = '', value = ''] = values;
      if (!/^lib-(name|ver)$/i.test(option)) {
        return errorReply(`ERR Unrecognized option '${option.slice(0, 128)}'`);
      }
      const isName = /name$/i.test(option);
      if (!isClientName(value)) return errorReply(`ERR ${option.toLowerCase()} ${badInfo}`);
      if (isName) call.library = value.slice(0, infoLengthMax);
      else call.libraryVersion = value.slice(0, infoLengthMax);
      return ok;
    }
    case 'INFO':
      return textReply(call.version, clientLine(call, call.wallClock.nowSeconds()));
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
  ...{
    SETNAME: 1,
    GETNAME: 0,
    ID: 0,
    INFO: 0,
    SETINFO: 2,
    TRACKING: 1,
    'NO-EVICT': 1,
    'NO-TOUCH': 1,
  },
};

/** Characters of the name of a library, and of its version, that are kept. */
const infoLengthMax = 64;
const badInfo = 'cannot contain spaces, newlines or special characters.';

/** The clients that this one may see: those of its user. */
function clientsOf({ clients, user }: RespCall): RespClient[] {
  return [...clients].filter((client) => client.user === user);
}

function clientList(call: RespCall, words: readonly string[]): Reply {
  const [filter = '', ...values] = words;
  let clients = clientsOf(call);
  if (filter.toUpperCase() === 'TYPE' && values.length === 1) {
    const type = values[0]?.toLowerCase() ?? '';
    if (!['normal', 'master', 'slave', 'replica', 'pubsub'].includes(type)) {
      return errorReply(`ERR Unknown client type '${type.slice(0, 128)}'`);
    }
    if (type !== 'normal') clients = [];
  } else if (filter.toUpperCase() === 'ID' && values.length > 0) {
    const ids = values.map(integerIn);
    if (ids.includes(undefined)) return errorReply('ERR Invalid client ID');
    clients = clients.filter(({ id }) => ids.includes(id));
  } else if (words.length > 0) return errorReply(syntaxError);
  const nowSeconds = call.wallClock.nowSeconds();
  return textReply(call.version, clients.map((client) => clientLine(client, nowSeconds)).join(''));
}

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
