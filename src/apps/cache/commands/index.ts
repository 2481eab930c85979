// All commands, by name.
import { arrayHead, integerReply, mapReply } from '../../../core/resp/index.ts';
import { any, type RespCommand } from './call.ts';
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
    const subcommand = what?.toUpperCase();
    if (subcommand === 'COUNT') return integerReply(respCommands.size + connectionCommands);
    return subcommand === 'DOCS' ? mapReply(version, []) : arrayHead(0);
  },
};

/** By name, in capitals, without those of the connection. */
export const respCommands: ReadonlyMap<string, RespCommand> = new Map(
  Object.entries({
    ...valueCommands,
    ...keyCommands,
    ...serverCommands,
    ...peerCommands,
    COMMAND: command,
  }),
);
