// Each key of a plan's input as a flag, made from the schema: `workload.promptTokens` is
// `--prompt-tokens`, `wants.kvOffload` is `--wants-kv-offload`.
import type { Command } from 'commander';
import { parse } from 'yaml';
import { planInputKeys } from '../core/plan/index.ts';
import type { DocumentOverride } from '../core/values/index.ts';

/** Adds a flag for each key. */
export function addPlanFlags(command: Command): Command {
  for (const { path, description } of planInputKeys()) {
    command.option(`${flagOf(path)} <value>`, description);
  }
  return command;
}

/** The keys that were given as flags. */
export function planOverrides(options: Readonly<Record<string, unknown>>): DocumentOverride[] {
  return planInputKeys().flatMap(({ path }) => {
    const flag = flagOf(path);
    const text = options[camelCase(flag)];
    if (typeof text !== 'string') return [];
    return [{ path, value: parse(text) as unknown, source: `${flag} ${text}` }];
  });
}

/** Sections whose keys would say nothing, or two things, without them. */
const prefixed = ['slo', 'wants', 'current', 'thresholds'];

function flagOf(path: readonly string[]): string {
  const [section = '', ...rest] = path;
  const words = prefixed.includes(section) ? [section.replace(/s$/, ''), ...rest] : rest;
  return `--${words.map(kebabCase).join('-')}`;
}

function kebabCase(word: string): string {
  // GiB is one word.
  return word.replace('GiB', 'Gib').replace(/[A-Z]+/g, (letters) => `-${letters.toLowerCase()}`);
}

function camelCase(flag: string): string {
  return flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
