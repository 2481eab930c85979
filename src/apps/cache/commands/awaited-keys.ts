// The keys whose values a command needs: they may have to come from the tiers below, or from another server.
import type { QueuedCommand } from '../transaction.ts';
import { keysRead } from './values.ts';

/**
 * The keys whose values a command reads; for EXEC, those of its transaction.
 *
 * @param name In capitals. @param args The name included.
 */
export function readKeys(
  name: string,
  args: readonly string[],
  queued: readonly QueuedCommand[],
): readonly string[] {
  if (name !== 'EXEC') return keysRead[name]?.(args.slice(1)) ?? [];
  return queued.flatMap(({ args: [command = '', ...rest] }) => [
    ...(keysRead[command.toUpperCase()]?.(rest) ?? []),
  ]);
}

/** The keys that other servers may have values of: `read`, and those that EXISTS and WATCH ask for. */
export function askedKeys(
  name: string,
  args: readonly string[],
  queued: readonly QueuedCommand[],
  read: readonly string[],
): readonly string[] {
  if (name === 'EXISTS' || name === 'WATCH') return args.slice(1);
  if (name !== 'EXEC') return read;
  const looked = queued.filter(({ args: [command] }) => command?.toUpperCase() === 'EXISTS');
  return [...read, ...looked.flatMap(({ args: words }) => words.slice(1))];
}
