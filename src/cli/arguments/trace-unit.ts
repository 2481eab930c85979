// The flag for the unit of a trace's timestamps, which commands that read traces share.
import { type Command, Option } from 'commander';
import type { TimeUnit } from '../../core/traces/index.ts';

/** Adds `--trace-unit`. */
export function addTraceUnitFlag(command: Command): Command {
  const units: readonly TimeUnit[] = ['s', 'ms'];
  return command.addOption(
    new Option(
      '--trace-unit <unit>',
      'unit of the timestamps of a trace with block ids (default: seconds with the fields of Qwen-Bailian, else what gives a plausible rate)',
    ).choices(units),
  );
}
