// Names under which clients ask for models: single ones, and patterns with a star.

/** A name with one star, which stands for any characters. */
interface Pattern {
  readonly start: string;
  readonly end: string;
  readonly model: string;
}

export class ModelAliases {
  /** As given: alias or pattern, to model. */
  readonly all: ReadonlyMap<string, string>;
  /** The most precise first. */
  readonly #patterns: readonly Pattern[];

  constructor(all: ReadonlyMap<string, string>) {
    this.all = all;
    this.#patterns = Array.from(all)
      .filter(([alias]) => isAliasPattern(alias))
      .map(([alias, model]) => {
        const star = alias.indexOf('*');
        return { start: alias.slice(0, star), end: alias.slice(star + 1), model };
      })
      .sort((one, other) => sizeOf(other) - sizeOf(one));
  }

  /**
   * The model behind a name; the name itself if it is no alias.
   *
   * @param isServed Whether engines serve a model of this name: patterns leave those alone.
   */
  resolve(name: string, isServed: (name: string) => boolean): string {
    const model = this.all.get(name);
    if (model !== undefined) return model;
    if (this.#patterns.length === 0 || isServed(name)) return name;
    return this.#patterns.find((pattern) => matches(pattern, name))?.model ?? name;
  }
}

/** Whether an alias stands for all names of a form, such as `claude-*`. */
export function isAliasPattern(alias: string): boolean {
  return alias.includes('*');
}

function matches({ start, end }: Pattern, name: string): boolean {
  return name.length >= start.length + end.length && name.startsWith(start) && name.endsWith(end);
}

function sizeOf({ start, end }: Pattern): number {
  return start.length + end.length;
}
