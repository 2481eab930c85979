// The help of all commands: as wide as the terminal, with long flags on lines of their own, and defaults as they are
// typed.
import type { Command, Help, Option } from 'commander';

/** Widest column of flags; the description of a longer flag starts on the next line. */
const termColumnsMax = 32;
/** Widest share of a line for flags. */
const termShareMax = 0.4;
const indent = '  ';

/**
 * Wraps the help of a command and of its subcommands, also what is added after it.
 *
 * @param columns Width of lines. @default that of the terminal, or 80
 */
export function wrapHelp(command: Command, columns?: number): Command {
  command.configureHelp({
    ...(columns === undefined ? {} : { helpWidth: columns }),
    minWidthToWrap: 1,
    optionDescription: describe,
    argumentDescription: ({ description, defaultValue }) =>
      defaultValue === undefined ? description : `${description} (default: ${defaultValue})`,
    padWidth: (cmd, helper) => Math.min(longestTerm(cmd, helper), termColumns(helper)),
    formatItem: (term, termWidth, description, helper) =>
      item(term, termWidth, description, helper),
  });
  for (const subcommand of command.commands) wrapHelp(subcommand, columns);
  return command;
}

/** Adds paragraphs after the help, wrapped like it. */
export function addHelpEnd(command: Command, ...paragraphs: readonly string[]): Command {
  return command.addHelpText('after', ({ command: shown }) => {
    const helper = shown.createHelp();
    const columns = shown.configureOutput().getOutHelpWidth?.();
    helper.prepareContext(columns === undefined ? {} : { helpWidth: columns });
    return `\n${paragraphs.map((text) => helper.boxWrap(text, widthOf(helper))).join('\n')}`;
  });
}

/** The description of a flag with its choices and its default, if it has one that can be typed. */
function describe(option: Option): string {
  const facts: string[] = [];
  if (option.argChoices) facts.push(`choices: ${option.argChoices.join(', ')}`);
  const standard = defaultText(option);
  if (standard !== '') facts.push(`default: ${standard}`);
  return facts.length === 0 ? option.description : `${option.description} (${facts.join('; ')})`;
}

function defaultText({ defaultValue, defaultValueDescription, flags, ...option }: Option): string {
  if (defaultValueDescription !== undefined) return defaultValueDescription;
  if (defaultValue === undefined || defaultValue === null) return '';
  // A switch is off, and its opposite on, unless it is given.
  if (!option.required && !option.optional) return '';
  if (typeof defaultValue === 'number') {
    if (flags.includes('<duration>')) return `${defaultValue}s`;
    if (/<(size|bytes)>/.test(flags)) return bytesText(defaultValue);
  }
  return Array.isArray(defaultValue) ? defaultValue.join(',') : String(defaultValue);
}

function bytesText(bytes: number): string {
  if (bytes > 0 && bytes % 2 ** 30 === 0) return `${bytes / 2 ** 30}GiB`;
  return bytes > 0 && bytes % 2 ** 20 === 0 ? `${bytes / 2 ** 20}MiB` : String(bytes);
}

function longestTerm(command: Command, helper: Help): number {
  return Math.max(
    helper.longestOptionTermLength(command, helper),
    helper.longestSubcommandTermLength(command, helper),
    helper.longestArgumentTermLength(command, helper),
  );
}

function termColumns(helper: Help): number {
  return Math.min(termColumnsMax, Math.floor(widthOf(helper) * termShareMax));
}

/** A terminal that does not know its width says 0. */
function widthOf(helper: Help): number {
  return helper.helpWidth || 80;
}

function item(term: string, termWidth: number, description: string, helper: Help): string {
  const start = `${indent}${term}`;
  if (description === '') return start;
  const margin = indent.length + termWidth + 2;
  const text = helper
    .boxWrap(description, Math.max(1, widthOf(helper) - margin))
    .replaceAll('\n', `\n${' '.repeat(margin)}`);
  const isLong = term.length > termWidth;
  return isLong ? `${start}\n${' '.repeat(margin)}${text}` : `${start.padEnd(margin)}${text}`;
}
