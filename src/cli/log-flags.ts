// Log flags of the long-running commands.
import { type Command, Option } from 'commander';
import { type LogLevel, logLevels } from '../io/log/index.ts';

export interface LogFlags {
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

/** Adds `--log-level` and `--log-format`. */
export function addLogFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--log-level <level>', 'lowest level that is logged')
        .choices(logLevels)
        .default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'format of log lines')
        .choices(['text', 'json'])
        .default('text'),
    );
}
