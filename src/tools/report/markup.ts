// HTML and SVG in which every external text is escaped.

/** A piece of HTML or SVG. Only `markup` makes one, so its text is safe to put on a page. */
export class Markup {
  readonly #source: string;

  private constructor(source: string) {
    this.#source = source;
  }

  /** Keeps the literal parts; every other part is escaped unless it is markup. */
  static of(literals: readonly string[], parts: readonly MarkupPart[]): Markup {
    const pieces = literals.map(
      (literal, i) => literal + (i < parts.length ? sourceOf(parts[i]) : ''),
    );
    return new Markup(pieces.join(''));
  }

  toString(): string {
    return this.#source;
  }
}

/** A part between literal parts; undefined and false add nothing. */
export type MarkupPart = Markup | string | number | undefined | false | readonly MarkupPart[];

/**
 * Tag for every template that contains HTML or SVG.
 *
 * @example markup`<td>${'<script>'}</td>`.toString(); // <td>&lt;script&gt;</td>
 */
export function markup(literals: TemplateStringsArray, ...parts: readonly MarkupPart[]): Markup {
  return Markup.of(literals, parts);
}

function sourceOf(part: MarkupPart): string {
  if (part instanceof Markup) return part.toString();
  if (part === undefined || part === false) return '';
  if (Array.isArray(part)) return part.map(sourceOf).join('');
  return escaped(String(part));
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Escapes for text and quoted attributes. XML does not allow most control characters. */
function escaped(text: string): string {
  return (
    text
      .replace(/[&<>"']/g, (character) => entities[character] ?? '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to replace
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
  );
}
