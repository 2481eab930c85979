// `spillway config menu`: a values file as a menu of all keys, with their descriptions.
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { counted, InputError } from '../../core/base/index.ts';
import {
  allKeys,
  type Catalogue,
  type Check,
  findPreset,
  type MenuEntry,
  type Path,
  parseValues,
  pathText,
  presets,
  problemLines,
  resolveValues,
  ValuesEditor,
  ValuesError,
} from '../../core/values/index.ts';
import { writeOutput } from '../../io/files/index.ts';
import { readInputText } from '../../io/values/index.ts';
import {
  answerValue,
  changeText,
  choicesOf,
  helpText,
  inputText,
  nameOf,
  standardText,
  valueText,
} from './menu-texts.ts';

export interface MenuOptions {
  readonly file: string;
  /** For a file that does not exist yet; asked for if undefined. */
  readonly preset: string | undefined;
  readonly checks: readonly Check[];
  readonly catalogue: Catalogue | undefined;
  readonly input: Readable;
  readonly output: Writable;
}

/** How the menu ended. */
export interface MenuEnd {
  readonly isSaved: boolean;
  /** Changes that were saved or discarded. */
  readonly changes: number;
}

type Prompts = typeof import('@clack/prompts');

/** What a line of a menu does. */
interface Choice {
  readonly does: 'open' | 'back' | 'search' | 'changes' | 'save' | 'leave' | 'add' | 'remove';
  /** What is opened. */
  readonly entry?: MenuEntry;
}

interface Line {
  readonly value: Choice;
  readonly label: string;
  readonly hint?: string;
}

/** Lines of a menu on the screen; the others are reached by the arrow keys and by typing. */
const linesMax = 16;
/**
 * Shows the menu until its user leaves.
 *
 * @throws {InputError} If the file cannot be read or is no valid values file.
 */
export async function runConfigMenu(options: MenuOptions): Promise<MenuEnd> {
  // 40 ms to load, for this command only.
  const prompts = await import('@clack/prompts');
  const text = await startingText(options, prompts);
  if (text === undefined) return { isSaved: false, changes: 0 };
  return new ConfigMenu(options, prompts, text).run();
}

/** @returns Undefined if the user left. */
async function startingText(
  { file, preset, input, output }: MenuOptions,
  prompts: Prompts,
): Promise<string | undefined> {
  if (existsSync(file)) {
    if (preset !== undefined) {
      throw new InputError(`${file} exists: --preset is for a new file; choose another name.`);
    }
    const { name, text } = await readInputText(file);
    // The menu edits what it can read; conflicts between keys are shown in it.
    const { problems, readable } = parseValues(text, name);
    if (!readable) throw new ValuesError(problems);
    return text;
  }
  if (preset !== undefined) return findPreset(preset).yaml;
  const chosen = await prompts.select<string>({
    ...{ input, output },
    message: `${file} does not exist yet. Start from`,
    options: [
      ...presets.map(({ name, summary }) => ({ value: name, label: name, hint: summary })),
      { value: '', label: 'an empty file', hint: 'All keys have their defaults.' },
    ],
  });
  if (prompts.isCancel(chosen)) return undefined;
  return chosen === '' ? '' : findPreset(chosen).yaml;
}

class ConfigMenu {
  readonly #options: MenuOptions;
  readonly #prompts: Prompts;
  readonly #editor: ValuesEditor;
  readonly #isNew: boolean;
  #end: MenuEnd | undefined;

  constructor(options: MenuOptions, prompts: Prompts, text: string) {
    this.#options = options;
    this.#prompts = prompts;
    this.#editor = new ValuesEditor(text, options.file);
    this.#isNew = !existsSync(options.file);
  }

  async run(): Promise<MenuEnd> {
    while (this.#end === undefined) await this.#section([]);
    return this.#end;
  }

  get #streams(): Pick<MenuOptions, 'input' | 'output'> {
    const { input, output } = this.#options;
    return { input, output };
  }

  /** Shows one section or list until its user goes back, or leaves the menu. */
  async #section(path: Path): Promise<void> {
    const isTop = path.length === 0;
    while (this.#end === undefined) {
      const choice = await this.#prompts.autocomplete<Choice>({
        ...this.#streams,
        message: this.#title(path),
        options: isTop ? this.#topLines() : this.#linesOf(path),
        maxItems: linesMax,
        placeholder: 'type to find a key',
      });
      if (this.#prompts.isCancel(choice)) {
        if (!isTop) return;
        await this.#leave();
      } else if (choice.entry !== undefined) await this.#open(choice.entry);
      else if (choice.does === 'search') await this.#search();
      else if (choice.does === 'changes') this.#showChanges();
      else if (choice.does === 'save') await this.#save();
      else if (choice.does === 'leave') await this.#leave();
      else if (choice.does === 'add') await this.#add(path);
      else {
        if (choice.does === 'remove') this.#editor.unset(path);
        return;
      }
    }
  }

  #title(path: Path): string {
    const { length } = this.#editor.changes();
    const where = path.length === 0 ? '' : ` ${pathText(path)}`;
    const unsaved = length === 0 ? '' : ` (${counted(length, 'change')}, not saved)`;
    return `${basename(this.#options.file)}${where}${unsaved}`;
  }

  #topLines(): Line[] {
    return [
      ...this.#editor.entries([]).map((entry) => this.#line(entry)),
      { value: { does: 'search' }, label: 'Search all keys' },
      { value: { does: 'changes' }, label: 'Show the changes' },
      { value: { does: 'save' }, label: 'Save and leave' },
      { value: { does: 'leave' }, label: 'Leave' },
    ];
  }

  #linesOf(path: Path): Line[] {
    const entry = this.#editor.entry(path);
    const isItem = typeof path.at(-1) === 'number';
    return [
      { value: { does: 'back' }, label: '← back' },
      ...this.#editor.entries(path).map((one) => this.#line(one)),
      ...(entry?.kind === 'list'
        ? [{ value: { does: 'add' as const }, label: '+ add an entry' }]
        : []),
      ...(isItem ? [{ value: { does: 'remove' as const }, label: '− remove this entry' }] : []),
    ];
  }

  #line(entry: MenuEntry): Line {
    const { path, kind, node, written } = entry;
    const hint = node.description;
    const name = nameOf(entry);
    // A star for sections in which the file sets something.
    const mark = written === undefined ? '' : ' *';
    const label = kind === 'value' ? `${name}: ${valueText(entry)}` : `${name} ›${mark}`;
    const value = { does: 'open', entry } as const;
    return hint === undefined || typeof path.at(-1) === 'number'
      ? { value, label }
      : { value, label, hint };
  }

  async #open(entry: MenuEntry): Promise<void> {
    if (entry.kind === 'value') await this.#edit(entry);
    else await this.#section(entry.path);
  }

  /** Asks for a value and sets it. */
  async #edit(entry: MenuEntry): Promise<void> {
    const { path, node } = entry;
    const { log } = this.#prompts;
    log.info(`${pathText(path)}: ${node.description ?? ''}\n${helpText(entry)}`, this.#streams);
    const before = this.#problems();
    const values = choicesOf(node);
    const edited = await (values === undefined ? this.#ask(entry) : this.#choose(entry, values));
    if (edited === undefined) return;
    try {
      if (edited.value === undefined) this.#editor.unset(path);
      else this.#editor.set(path, edited.value);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      log.error(error.message, this.#streams);
      return;
    }
    const conflicts = this.#problems().filter((problem) => !before.includes(problem));
    if (conflicts.length > 0) log.warn(conflicts.join('\n'), this.#streams);
  }

  /** @returns Undefined if the user went back. */
  async #choose(
    { written, standard }: MenuEntry,
    values: readonly unknown[],
  ): Promise<{ readonly value: unknown } | undefined> {
    const options = [
      ...values.map((value) => ({ value: { value }, label: String(value) })),
      { value: { value: undefined }, label: `remove the key: ${standardText(standard)}` },
    ];
    const present = options.find(({ value: { value } }) => value === (written ?? standard));
    const chosen = await this.#prompts.select<{ readonly value: unknown }>({
      ...this.#streams,
      message: 'Value',
      options,
      ...(present === undefined ? {} : { initialValue: present.value }),
    });
    return this.#prompts.isCancel(chosen) ? undefined : chosen;
  }

  /** @returns Undefined if the user went back. */
  async #ask({ path, node, written }: MenuEntry): Promise<{ readonly value: unknown } | undefined> {
    const answer = await this.#prompts.text({
      ...this.#streams,
      message: 'Value (empty removes the key)',
      initialValue: written === undefined ? '' : inputText(written),
      validate: (text) => {
        if (text === undefined || text.trim() === '') return undefined;
        return this.#editor.refusal(path, answerValue(text, node));
      },
    });
    if (this.#prompts.isCancel(answer)) return undefined;
    return {
      value: answer === undefined || answer.trim() === '' ? undefined : answerValue(answer, node),
    };
  }

  /** Adds an item to a list; asks for the keys that it must have. */
  async #add(list: Path): Promise<void> {
    const path = [...list, this.#editor.entries(list).length];
    const item = this.#editor.entry(path);
    const values: Record<string, unknown> = {};
    for (const key of item?.node.required ?? []) {
      const node = item?.node.properties?.[key];
      if (node === undefined || node.properties !== undefined) continue;
      const answer = await this.#prompts.text({
        ...this.#streams,
        message: `${key}: ${node.description ?? ''}`,
        validate: (text) => (text?.trim() ? undefined : 'A new entry needs it.'),
      });
      if (this.#prompts.isCancel(answer)) return;
      values[key] = answerValue(answer, node);
    }
    this.#editor.set(path, values);
    await this.#section(path);
  }

  /** Finds a key anywhere and opens it. */
  async #search(): Promise<void> {
    const keys = allKeys().filter(({ node }) => node['x-ignored'] !== true);
    const found = await this.#prompts.autocomplete<string>({
      ...this.#streams,
      message: `Search in ${keys.length} keys and their descriptions`,
      options: keys.map(({ path, node }) => ({
        value: path,
        label: path,
        ...(node.description === undefined ? {} : { hint: node.description }),
      })),
      maxItems: linesMax,
      placeholder: 'type a part of the name or of the description',
      filter: (text, { label, hint }) =>
        `${label} ${hint ?? ''}`.toLowerCase().includes(text.toLowerCase()),
    });
    if (this.#prompts.isCancel(found)) return;
    await this.#openPattern(found);
  }

  /** Opens a key named as `a[].b`; at a list without one entry to choose, the list is opened. */
  async #openPattern(pattern: string): Promise<void> {
    let path: Path = [];
    for (const step of pattern.split('.')) {
      const [, key = step, list] = /^(.*?)((?:\[\])?)$/.exec(step) ?? [];
      path = [...path, key];
      if (list !== '[]') continue;
      const items = this.#editor.entries(path);
      if (items.length !== 1) return this.#section(path);
      path = [...path, 0];
    }
    const entry = this.#editor.entry(path);
    // Keys of free names are edited with their map.
    const nearest = entry ?? this.#editor.entry(path.slice(0, -1));
    if (nearest !== undefined) await this.#open(nearest);
  }

  #showChanges(): void {
    const lines = this.#editor
      .changes()
      .map(({ path, from, to }) => `${pathText(path)}: ${changeText(from)} → ${changeText(to)}`);
    this.#prompts.note(lines.join('\n') || 'none', 'Changes', this.#streams);
  }

  /** The problems of the file as it is now, one line each. */
  #problems(): readonly string[] {
    const { file, checks, catalogue } = this.#options;
    try {
      resolveValues({ files: [{ name: file, text: this.#editor.text }], checks, catalogue });
      return [];
    } catch (error) {
      if (error instanceof ValuesError) return problemLines(error.problems);
      throw error;
    }
  }

  async #save(): Promise<void> {
    const problems = this.#problems();
    if (problems.length > 0) {
      this.#prompts.log.warn(problems.join('\n'), this.#streams);
      const isSure = await this.#prompts.confirm({
        ...this.#streams,
        message: 'Save a file with these problems?',
        initialValue: false,
      });
      if (isSure !== true) return;
    }
    this.#showChanges();
    await writeOutput(this.#options.file, 'values', this.#editor.text);
    this.#end = { isSaved: true, changes: this.#editor.changes().length };
  }

  async #leave(): Promise<void> {
    const { length } = this.#editor.changes();
    if (length === 0 && !this.#isNew) {
      this.#end = { isSaved: false, changes: 0 };
      return;
    }
    const isSaved = await this.#prompts.confirm({
      ...this.#streams,
      message: this.#isNew ? `Save ${this.#options.file}?` : `Save ${counted(length, 'change')}?`,
    });
    if (isSaved === true) await this.#save();
    // "No", or Ctrl-C once more.
    else this.#end = { isSaved: false, changes: length };
  }
}
