// The flag of hedged requests.
import type { Command } from 'commander';
import { type HedgeSettings, hedgeSettings } from '../core/attempts/index.ts';
import { number } from './arguments/numbers.ts';

/** The flags as commander returns them; absent ones are undefined. */
export interface HedgeFlags {
  readonly hedgeBudget?: number;
}

/** Adds the flag; its default is stated, and set by `hedgingFrom`. */
export function addHedgeFlags(command: Command): Command {
  for (const { flag, unit, help, default: standard, min, max } of hedgeSettings) {
    command.option(`${flag} <${unit}>`, `${help} (default: ${standard})`, number({ min, max }));
  }
  return command;
}

/** The settings of a command's options. */
export function hedgingFrom({ hedgeBudget }: HedgeFlags): HedgeSettings {
  const [{ default: standard }] = hedgeSettings;
  return { budget: hedgeBudget ?? standard };
}
