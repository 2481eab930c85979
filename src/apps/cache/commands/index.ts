// All commands, by name.
import {
  arrayHead,
  bulk,
  errorReply,
  integerReply,
  mapReply,
  nullReply,
} from '../../../core/resp/index.ts';
import { any, argumentsError, type RespCommand } from './call.ts';
import { clusterCommands } from './cluster.ts';
import { keyPositions } from './key-positions.ts';
import { keyCommands } from './keys.ts';
import { peerCommands } from './peer.ts';
import { serverCommands, unknownSubcommand } from './server.ts';
import { valueCommands } from './values.ts';

/** AUTH, HELLO, RESET and QUIT, which change the connection, and the five about transactions. */
const connectionCommands = 9;

const command: RespCommand = {
  min: 0,
  max: any,
  run({ version }, [what, ...names]) {
    if (what === undefined) return arrayOf([...respCommands.keys()].map(description));
    switch (what.toUpperCase()) {
      case 'COUNT':
        return names.length === 0
          ? integerReply(respCommands.size + connectionCommands)
          : errorReply(argumentsError('command|count'));
      case 'DOCS':
        return mapReply(version, []);
      case 'INFO':
        return arrayOf(
          names.length === 0
            ? [...respCommands.keys()].map(description)
            : names.map((name) => description(name.toUpperCase()) ?? nullReply(version)),
        );
      case 'LIST':
        return arrayOf([...respCommands.keys()].map((name) => bulk(name.toLowerCase())));
      default:
        return unknownSubcommand('COMMAND', what);
    }
  },
};

const arrayOf = (parts: readonly (Uint8Array | undefined)[]) =>
  Buffer.concat([arrayHead(parts.length), ...parts.filter((part) => part !== undefined)]);

/** Name, arity, flags, keys, and four lists that are empty here, as of Redis 7; undefined for a name that is no command. */
function description(name: string): Uint8Array | undefined {
  const found = respCommands.get(name);
  if (found === undefined) return undefined;
  const { min, max } = found;
  const arity = min === max ? min + 1 : -(min + 1);
  const [first, last, step] = keyPositions(name);
  const numbers = [first, last, step].map(integerReply);
  const head = [arrayHead(10), bulk(name.toLowerCase()), integerReply(arity), arrayHead(0)];
  return Buffer.concat([...head, ...numbers, ...Array.from({ length: 4 }, () => arrayHead(0))]);
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
