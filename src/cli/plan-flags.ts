// Derives a flag from each key of a plan's input: `workload.promptTokens` is `--prompt-tokens`,
// `wants.kvOffload` is `--want-kv-offload`.
import type { Command } from 'commander';
import { parse } from 'yaml';
import { planInputKeys } from '../core/plan/index.ts';
import type { DocumentOverride } from '../core/values/index.ts';

/** Adds one flag per key. */
export function addPlanFlags(command: Command): Command {
  for (const { path, description, isList, allowed } of planInputKeys()) {
    command.optionsGroup(groups[path[0] ?? ''] ?? 'Other:');
    const texts = allowed && `${isList ? 'Comma-separated' : 'One of'}: ${allowed.join(', ')}.`;
    command.option(
      `${flagOf(path)} <${isList ? 'list' : 'value'}>`,
      [description, texts].filter((part) => part !== undefined).join(' '),
    );
  }
  return command;
}

/** Headings of the sections in the help. */
const groups: Readonly<Record<string, string>> = {
  workload: 'Workload:',
  fleet: 'Fleet:',
  operations: 'Operations:',
  slo: 'Objectives:',
  wants: 'What is already decided:',
  current: 'What runs today:',
  thresholds: 'Thresholds of the rules:',
};

/** Returns the keys that were set by flags. */
export function planOverrides(options: Readonly<Record<string, unknown>>): DocumentOverride[] {
  return planInputKeys().flatMap(({ path, isList }) => {
    const flag = flagOf(path);
    const text = options[camelCase(flag)];
    if (typeof text !== 'string') return [];
    return [{ path, value: parsedValue(text, isList), source: `${flag} ${text}` }];
  });
}

/** YAML, as in the file; a list may also be separated by commas alone. */
function parsedValue(text: string, isList: boolean): unknown {
  return parse(isList && !text.trimStart().startsWith('[') ? `[${text}]` : text) as unknown;
}

/** Sections whose names are part of the flags, because their keys would be unclear or ambiguous alone. */
const prefixed = ['slo', 'wants', 'current', 'thresholds'];

function flagOf(path: readonly string[]): string {
  const [section = '', ...rest] = path;
  const words = prefixed.includes(section) ? [section.replace(/s$/, ''), ...rest] : rest;
  return `--${words.map(kebabCase).join('-')}`;
}

function kebabCase(word: string): string {
  // Treats GiB as one word.
  return word.replace('GiB', 'Gib').replace(/[A-Z]+/g, (letters) => `-${letters.toLowerCase()}`);
}

function camelCase(flag: string): string {
  return flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
