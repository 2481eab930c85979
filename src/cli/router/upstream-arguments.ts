// Command lines of production-stack's router: flags without effect here, and the spellings that argparse accepts.
import { Command, Option } from 'commander';
import {
  fullFlagName,
  type UpstreamFlagNote,
  upstreamFlagNote,
  upstreamRouterFlags,
} from '../../core/upstream/index.ts';

/** A flag, with its value behind an equals sign. */
const flagPattern = /^--([a-z][\w-]*)(=.*)?$/is;

/** A command that accepts the command lines of upstream's router. */
export class UpstreamCommand extends Command {
  /** What is logged about flags without effect, once each, in the order of the command line. */
  readonly notes = new Map<string, UpstreamFlagNote>();

  /** Adds the flags of upstream's that have no effect here; they are not in the help. */
  addVainFlags(): this {
    for (const { name, hasValue, state } of upstreamRouterFlags) {
      if (state === 'here' || this.#has(name)) continue;
      this.addOption(new Option(`--${name}${hasValue ? ' <value>' : ''}`).hideHelp());
      this.on(`option:${name}`, (value?: string) => this.#note(name, value));
    }
    return this;
  }

  override parseOptions(args: string[]): ReturnType<Command['parseOptions']> {
    return super.parseOptions(args.map((word) => this.#inFull(word)));
  }

  #note(name: string, value: string | undefined): void {
    const note = upstreamFlagNote(name, value ?? undefined);
    if (note !== undefined) this.notes.set(name, note);
  }

  /** The name of the flag that a word of a command line is, in full and without its dashes; undefined for other words. */
  flagOf(word: string): string | undefined {
    return flagPattern.exec(this.#inFull(word))?.[1];
  }

  /** A flag with underscores, or abbreviated as argparse accepts it, in full. Flags of this command come first. */
  #inFull(word: string): string {
    const [, given = '', rest = ''] = flagPattern.exec(word) ?? [];
    if (given === '' || this.#has(given)) return word;
    const name = given.replaceAll('_', '-');
    const full = this.#has(name) ? name : fullFlagName(name);
    return full === undefined || !this.#has(full) ? word : `--${full}${rest}`;
  }

  #has(name: string): boolean {
    return name === 'help' || this.options.some(({ long }) => long === `--${name}`);
  }
}
