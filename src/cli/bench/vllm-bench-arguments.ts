// Converts a command line of `vllm bench serve` to the form in which commander reads it, as vLLM's argparse does: a file of
// flags, underscores, unique beginnings of names, JSON in parts, several values after one flag.
import { Command, type Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { plainWords } from '../../core/layout/index.ts';
import { flagWords, readFlagFile } from '../arguments/flag-file.ts';
import { vllmBenchFlags } from './vllm-bench-flags.ts';

/** A command whose flags may be written as for `vllm bench serve`. */
export class VllmBenchCommand extends Command {
  override parseOptions(args: string[]): ReturnType<Command['parseOptions']> {
    return super.parseOptions(vllmBenchArguments(args, this.options));
  }
}

/** Flags with several values, which commander knows as repeated flags. */
const repeated = ['--header', '--metadata'];

/**
 * @param options The flags of the command.
 * @throws {InputError} If the beginning of a name fits several flags, or a file of flags cannot be read.
 * @example vllmBenchArguments(['--num_prompts=5', '--random-inp', '9'], options); // ['--num-prompts=5', '--random-input-len', '9']
 */
function vllmBenchArguments(args: readonly string[], options: readonly Option[]): string[] {
  const names = options.flatMap(({ long }) => long ?? []);
  // Names of `vllm serve` are no flags here: --logprobs would become its --logprobs-mode.
  const plain = plainWords(withConfigFile(args, names), (name) => name);
  const whole = plain.map((word) => fullName(word, names));
  return repeated.reduce(oneValueEach, whole);
}

/** Completes the beginning of a name that fits one flag only; vLLM's own flags come first. */
function fullName(word: string, names: readonly string[]): string {
  if (!/^--[a-z]/.test(word)) return word;
  const end = word.indexOf('=') === -1 ? word.length : word.indexOf('=');
  const name = word.slice(0, end);
  if (names.includes(name) || name === '--help') return word;
  const begun = (all: readonly string[]) => all.filter((one) => one.startsWith(name));
  const ofVllm = begun(vllmBenchFlags).filter((one) => names.includes(one));
  const found = ofVllm.length > 0 ? ofVllm : begun(names);
  if (found.length > 1) {
    throw new InputError(`${name} is ambiguous: it could be ${found.join(', ')}.`);
  }
  return `${found[0] ?? name}${word.slice(end)}`;
}

/** Writes a flag before each of its values. */
function oneValueEach(args: readonly string[], flag: string): string[] {
  const words: string[] = [];
  let values: number | undefined;
  for (const word of args) {
    if (word === flag) values = 0;
    else if (values === undefined || isFlag(word)) {
      values = undefined;
      words.push(word);
    } else {
      words.push(flag, word);
      values++;
    }
  }
  return words;
}

/** Puts the flags of a file first, so that those of the command line override them. */
function withConfigFile(args: readonly string[], names: readonly string[]): readonly string[] {
  const file = readFlagFile(args);
  if (file === undefined) return args;
  const own = Object.entries(file.flags).flatMap(([name, value]) => {
    if (value !== false) return flagWords(name, value);
    const no = `--no-${name.replaceAll('_', '-')}`;
    // As vLLM: a switch that is off.
    return names.includes(no) ? [no] : [];
  });
  return [...own, ...file.rest];
}

/** Whether a word is a flag, not a value such as -1. */
function isFlag(word: string): boolean {
  return /^-[^\d.]/.test(word);
}
