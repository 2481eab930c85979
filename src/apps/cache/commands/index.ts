// All commands, by name.
import { arrayHead, bulk, integerReply, mapReply } from '../../../core/resp/index.ts';
import { any, type RespCommand } from './call.ts';
import { clusterCommands } from './cluster.ts';
import { keyPositions } from './key-positions.ts';
import { keyCommands } from './keys.ts';
import { peerCommands } from './peer.ts';
import { serverCommands } from './server.ts';
import { valueCommands } from './values.ts';

/** AUTH, HELLO, RESET and QUIT, which change the connection. */
const connectionCommands = 4;

const command: RespCommand = {
  min: 0,
  max: any,
  run({ version }, [what]) {
    if (what === undefined) return commandTable();
    const subcommand = what.toUpperCase();
    if (subcommand === 'COUNT') return integerReply(respCommands.size + connectionCommands);
    return subcommand === 'DOCS' ? mapReply(version, []) : arrayHead(0);
  },
};

/** Name, arity, flags, keys, and four lists that are empty here, as of Redis 7. */
function commandTable(): Uint8Array {
  const parts = [...respCommands].map(([name, { min, max }]) => {
    const arity = min === max ? min + 1 : -(min + 1);
    const [first, last, step] = keyPositions(name);
    const numbers = [first, last, step].map(integerReply);
    const head = [arrayHead(10), bulk(name.toLowerCase()), integerReply(arity), arrayHead(0)];
    return Buffer.concat([...head, ...numbers, ...Array.from({ length: 4 }, () => arrayHead(0))]);
  });
  return Buffer.concat([arrayHead(parts.length), ...parts]);
}

/** By name, in capitals, without those of the connection. */
export const respCommands: ReadonlyMap<string, RespCommand> = new Map(
  Object.entries({
    ...valueCommands,
    ...keyCommands,
    ...serverCommands,
    ...peerCommands,
    ...clusterCommands,
    COMMAND: command,
  }),
);
