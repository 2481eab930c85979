// The flags of admission, shared by `router` and `simulate`.
import type { Command } from 'commander';
import { type AdmissionSettings, admissionSettings } from '../core/attempts/index.ts';
import { integer } from './arguments/numbers.ts';
import { duration } from './arguments/quantities.ts';

/** The flags as commander returns them; absent ones are undefined. */
export type AdmissionFlags = Partial<AdmissionSettings>;

/** Adds the flags; defaults are stated, and set by `admissionFrom`. */
export function addAdmissionFlags(command: Command): Command {
  for (const { flag, unit, help, default: standard, min, max } of admissionSettings) {
    if (unit === 'n') {
      command.option(`${flag} <n>`, `${help} (default: ${standard})`, integer({ min, max }));
    } else {
      const parse = duration('s', { min, max });
      command.option(`${flag} <duration>`, `${help} (default: ${standard}s)`, parse);
    }
  }
  return command;
}

/** The settings of a command's options. */
export function admissionFrom(flags: AdmissionFlags): AdmissionSettings {
  const entries = admissionSettings.map(({ key, default: standard }) => [
    key,
    flags[key] ?? standard,
  ]);
  return Object.fromEntries(entries) as unknown as AdmissionSettings;
}
