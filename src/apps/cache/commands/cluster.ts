// Commands of Redis Cluster: clients that know it send each key to a server that keeps it.
import { createHash } from 'node:crypto';
import {
  arrayHead,
  bulk,
  errorReply,
  integerReply,
  mapReply,
  ok,
  slotOf,
  textReply,
} from '../../../core/resp/index.ts';
import type { Cluster, SlotRange } from '../slot-owners.ts';
import { any, argumentsError, type Reply, type RespCall, type RespCommand } from './call.ts';

const disabled = 'ERR This instance has cluster support disabled';

export const clusterCommands: Readonly<Record<string, RespCommand>> = {
  CLUSTER: { min: 1, max: any, run: cluster },
  READONLY: { min: 0, max: 0, run: greeted },
  READWRITE: { min: 0, max: 0, run: greeted },
  ASKING: { min: 0, max: 0, run: greeted },
};

/**
 * The redirection of a command, if this server keeps none of its keys and another one keeps them all.
 *
 * @param keys Those of the command.
 */
export function movedReply({ self, slots }: Cluster, keys: readonly string[]): Reply {
  const [slot, ...others] = keys.map(slotOf);
  if (slot === undefined || others.some((other) => other !== slot)) return undefined;
  const owners = slots.ofSlot(slot);
  const [first] = owners;
  if (first === undefined || owners.includes(self)) return undefined;
  return errorReply(`MOVED ${slot} ${first}`);
}

/** Whether a server is the first that keeps the keys: cluster clients send there what changes them. */
export function isFirstOwner({ self, slots }: Cluster, keys: readonly string[]): boolean {
  return keys.every((key) => slots.ofSlot(slotOf(key))[0] === self);
}

function greeted(call: RespCall): Reply {
  if (call.cluster === undefined) return errorReply(disabled);
  call.isClusterClient = true;
  return ok;
}

function cluster(call: RespCall, [what = '', ...args]: readonly string[]): Reply {
  const name = what.toUpperCase();
  if (name === 'KEYSLOT') {
    const [key] = args;
    if (key === undefined || args.length > 1) return errorReply(argumentsError('cluster|keyslot'));
    return integerReply(slotOf(key));
  }
  const known = call.cluster;
  if (known === undefined) return errorReply(disabled);
  switch (name) {
    case 'SLOTS':
      call.isClusterClient = true;
      return list(known.slots.ranges.map(slotsOf));
    case 'SHARDS':
      call.isClusterClient = true;
      return list(shardsOf(known).map((shard) => shardReply(call, shard)));
    case 'NODES':
      call.isClusterClient = true;
      return textReply(call.version, nodesText(known));
    case 'INFO':
      return textReply(call.version, infoText(known));
    case 'MYID':
      return bulk(idOf(known.self));
    default:
      return errorReply(`ERR unknown subcommand '${what.slice(0, 128)}'. Try CLUSTER HELP.`);
  }
}

/** From, to, and each server: host, port, id, and nothing more. */
function slotsOf({ from, to, owners }: SlotRange): Uint8Array {
  const nodes = owners.map((name) => {
    const { host, port } = placeOf(name);
    return list([bulk(host), integerReply(port), bulk(idOf(name)), arrayHead(0)]);
  });
  return list([integerReply(from), integerReply(to), ...nodes]);
}

interface Shard {
  readonly owners: readonly string[];
  readonly ranges: SlotRange[];
}

/** Ranges by their servers. */
function shardsOf({ slots }: Cluster): readonly Shard[] {
  const shards = new Map<string, Shard>();
  for (const range of slots.ranges) {
    const { owners } = range;
    const known = shards.get(owners.join());
    if (known === undefined) shards.set(owners.join(), { owners, ranges: [range] });
    else known.ranges.push(range);
  }
  return [...shards.values()];
}

function shardReply({ version }: RespCall, { owners, ranges }: Shard): Uint8Array {
  const numbers = ranges.flatMap(({ from, to }) => [integerReply(from), integerReply(to)]);
  const nodes = owners.map((name, i) => {
    const { host, port } = placeOf(name);
    return mapReply(version, [
      ['id', idOf(name)],
      ['port', port],
      ['ip', host],
      ['endpoint', host],
      ['role', i === 0 ? 'master' : 'replica'],
      ['replication-offset', 0],
      ['health', 'online'],
    ]);
  });
  return Buffer.concat([
    mapHead(version, 2),
    bulk('slots'),
    list(numbers),
    bulk('nodes'),
    list(nodes),
  ]);
}

function mapHead(version: RespCall['version'], pairs: number): Uint8Array {
  return version === 3 ? Buffer.from(`%${pairs}\r\n`) : arrayHead(2 * pairs);
}

/** Each server is a master: replicas are those of single slots, which this form cannot say. */
function nodesText({ self, slots }: Cluster): string {
  return slots.members
    .map((name) => {
      const { host, port } = placeOf(name);
      const flags = name === self ? 'myself,master' : 'master';
      const ranges = slots.ranges
        .filter(({ owners }) => owners[0] === name)
        .map(({ from, to }) => `${from}-${to}`);
      const bus = `${host}:${port}@${port}`;
      return [idOf(name), bus, flags, '-', '0', '0', '1', 'connected', ...ranges].join(' ');
    })
    .join('\n')
    .concat('\n');
}

function infoText({ slots }: Cluster): string {
  const lines = [
    'cluster_enabled:1',
    'cluster_state:ok',
    'cluster_slots_assigned:16384',
    'cluster_slots_ok:16384',
    `cluster_known_nodes:${slots.members.length}`,
    `cluster_size:${slots.members.length}`,
  ];
  return `${lines.join('\r\n')}\r\n`;
}

function list(items: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([arrayHead(items.length), ...items]);
}

function placeOf(name: string): { readonly host: string; readonly port: number } {
  const at = name.lastIndexOf(':');
  return { host: name.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(name.slice(at + 1)) };
}

/** A node's id has 40 hexadecimal digits. */
function idOf(name: string): string {
  return createHash('sha1').update(name).digest('hex');
}
