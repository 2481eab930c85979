// Generates one text that a grammar allows, for constrained responses: xgrammar's EBNF and the basics of Lark.
import { badRequest } from '../openai/api-error.ts';
import { regexInstance, repeated } from './regex-instance.ts';

/** Longest grammar, in characters: while one is read, the engine's other requests wait. */
const grammarCharactersMax = 65_536;

/**
 * Returns the shortest obvious text: first alternatives, fewest repetitions, first characters of
 * classes. A rule that only refers to itself yields an empty text.
 *
 * @throws {ApiError} 400 with vLLM's message if it is not a grammar, or if it is too long.
 * @example grammarInstance('root ::= "yes" | "no"'); // 'yes'
 */
export function grammarInstance(grammar: string): string {
  if (grammar.length > grammarCharactersMax) {
    throw badRequest(
      `The grammar has ${grammar.length} characters; this engine takes at most ${grammarCharactersMax}.`,
    );
  }
  const isEbnf = /^[^#\n]*::=/m.test(grammar);
  const rules = isEbnf
    ? readRules(grammar, ebnfHead)
    : readRules(withoutDirectives(grammar), larkHead);
  const start = isEbnf ? 'root' : 'start';
  if (rules.has(start)) checkReferences(rules, grammar);
  else throw invalidGrammar();
  return new GrammarWriter(rules).textOf(start, 0);
}

const ebnfHead = /^\s*([A-Za-z_][\w.-]*)\s*::=/;
const larkHead = /^\s*[?!]?([A-Za-z_]\w*)(?:\.\d+)?\s*:(?!:)/;

function invalidGrammar(): Error {
  return badRequest('Invalid grammar specification.');
}

/** Consecutive elements, each of which may be repeated. */
type ElementSequence = readonly Element[];
interface Element {
  readonly text?: string;
  readonly rule?: string;
  readonly choices?: readonly ElementSequence[];
  readonly times: number;
}

/** A text for each terminal that Lark's common grammar defines and that a constraint may use. */
const imported: Readonly<Record<string, string>> = {
  WORD: 'a',
  INT: '0',
  NUMBER: '0',
  SIGNED_NUMBER: '0',
  FLOAT: '0.0',
  DIGIT: '0',
  LETTER: 'a',
  CNAME: 'a',
  WS: ' ',
  NEWLINE: '\n',
  ESCAPED_STRING: '""',
};

function withoutDirectives(grammar: string): string {
  return grammar
    .replace(/\/\/.*$/gm, '')
    .replace(/^[^\S\n]*%(ignore|declare).*$/gm, '')
    .replace(
      /^[^\S\n]*%import\s+common\.(\w+).*$/gm,
      (_line, name: string) => `${name}: ${JSON.stringify(imported[name] ?? 'a')}`,
    );
}

/** @param head Matches the start of a rule; the first group is its name. */
function readRules(grammar: string, head: RegExp): Map<string, readonly ElementSequence[]> {
  const rules = new Map<string, readonly ElementSequence[]>();
  let open: { name: string; body: string } | undefined;
  const close = () => {
    if (open === undefined) return;
    if (rules.has(open.name)) throw invalidGrammar();
    rules.set(open.name, new BodyReader(open.body).read());
  };
  for (const line of grammar.split('\n')) {
    const found = head.exec(line);
    if (found) {
      close();
      open = { name: found[1] as string, body: line.slice(found[0].length) };
    } else if (open) open.body += `\n${line}`;
    else if (line.replace(/#.*/, '').trim() !== '') throw invalidGrammar();
  }
  close();
  return rules;
}

function checkReferences(rules: Map<string, readonly ElementSequence[]>, grammar: string): void {
  const visit = (sequences: readonly ElementSequence[]): void => {
    for (const { rule, choices } of sequences.flat()) {
      if (rule !== undefined && !rules.has(rule)) throw invalidGrammar();
      if (choices) visit(choices);
    }
  };
  if (grammar.trim() === '') throw invalidGrammar();
  for (const choices of rules.values()) visit(choices);
}

/** Maximum depth of nested rules; deeper ones count as empty. */
const depthMax = 64;
/** Maximum number of rules written out; the others count as empty. Rules that refer to two others double per level. */
const rulesMax = 10_000;

class GrammarWriter {
  readonly #rules: ReadonlyMap<string, readonly ElementSequence[]>;
  #count = 0;

  constructor(rules: ReadonlyMap<string, readonly ElementSequence[]>) {
    this.#rules = rules;
  }

  textOf(name: string, depth: number): string {
    if (depth > depthMax || ++this.#count > rulesMax) return '';
    return this.#written(this.#rules.get(name)?.[0] ?? [], depth);
  }

  #written(sequence: ElementSequence, depth: number): string {
    return sequence.map((element) => this.#one(element, depth)).join('');
  }

  #one({ text, rule, choices, times }: Element, depth: number): string {
    if (times === 0) return '';
    const inner =
      text ??
      (rule === undefined
        ? this.#written(choices?.[0] ?? [], depth)
        : this.textOf(rule, depth + 1));
    return repeated(inner, times);
  }
}

/** Maximum nesting of parentheses, which bounds the stack of the reader. */
const nestingMax = 500;

class BodyReader {
  readonly #body: string;
  #at = 0;
  #nesting = 0;

  constructor(body: string) {
    this.#body = body;
  }

  read(): readonly ElementSequence[] {
    const choices = this.#choices();
    if (this.#at < this.#body.length) throw invalidGrammar();
    return choices;
  }

  #choices(): ElementSequence[] {
    const choices = [this.#sequence()];
    while (this.#take(/\|/y)) choices.push(this.#sequence());
    return choices;
  }

  #sequence(): ElementSequence {
    const elements: Element[] = [];
    for (;;) {
      this.#take(/(?:\s|#[^\n]*)*/y);
      const element = this.#element();
      if (element === undefined) break;
      elements.push({ ...element, times: this.#times() });
    }
    if (elements.length === 0) throw invalidGrammar();
    return elements;
  }

  #element(): Omit<Element, 'times'> | undefined {
    const quoted = this.#take(/"((?:[^"\\\n]|\\.)*)"i?/y);
    if (quoted) return { text: unescaped(quoted[1] as string) };
    const characters = this.#take(/\[(?:[^\]\\]|\\.)*\]/y);
    if (characters) return { text: characters[0] === '[]' ? '' : regexInstance(characters[0]) };
    const pattern = this.#take(/\/((?:[^/\\\n]|\\.)+)\/[imslux]*/y);
    if (pattern) return { text: regexInstance(pattern[1] as string) };
    if (this.#take(/\(/y)) {
      if (++this.#nesting > nestingMax) throw invalidGrammar();
      const choices = this.#choices();
      if (!this.#take(/\)/y)) throw invalidGrammar();
      this.#nesting--;
      return { choices };
    }
    const rule = this.#take(/[A-Za-z_][\w.-]*/y);
    return rule ? { rule: rule[0] } : undefined;
  }

  #times(): number {
    const counted = this.#take(/\{\s*(\d+)\s*(?:,\s*(\d*)\s*)?\}/y);
    if (counted) {
      if (counted[2] && Number(counted[1]) > Number(counted[2])) throw invalidGrammar();
      return Number(counted[1]);
    }
    const symbol = this.#take(/[*+?]/y)?.[0];
    return symbol === undefined || symbol === '+' ? 1 : 0;
  }

  #take(what: RegExp): RegExpExecArray | undefined {
    what.lastIndex = this.#at;
    const found = what.exec(this.#body);
    if (found) this.#at = what.lastIndex;
    return found ?? undefined;
  }
}

const controls: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/** @throws {ApiError} 400 for an escape that xgrammar does not support. */
function unescaped(text: string): string {
  const escapes = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/g;
  return text.replace(escapes, (_whole, two, four, eight, letter) => {
    if (letter === undefined)
      return String.fromCodePoint(Number.parseInt(two ?? four ?? eight, 16));
    if (!/[nrt"'\\/?[\]-]/.test(letter)) throw invalidGrammar();
    return controls[letter] ?? letter;
  });
}
