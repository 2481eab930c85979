// The words of an inline command, with the quotes of Redis: "a b", 'a b', and \n \r \t \b \a \xHH within double quotes.

const spaces = ' \n\r\t\v\f';
const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

/**
 * Splits a line into words as Redis' sdssplitargs does. A quoted part may follow other characters of a word, but nothing
 * may follow its closing quote. A NUL ends the line.
 *
 * @returns undefined if a quote is not closed, or if its word goes on after it.
 * @example inlineWords('SET "a b" c') // ['SET', 'a b', 'c']
 */
export function inlineWords(text: string): string[] | undefined {
  const nul = text.indexOf('\0');
  const line = nul < 0 ? text : text.slice(0, nul);
  const words: string[] = [];
  for (let at = 0; ; ) {
    while (at < line.length && spaces.includes(line[at] as string)) at++;
    if (at >= line.length) return words;
    let word = '';
    while (at < line.length && !' \n\r\t'.includes(line[at] as string)) {
      const quote = line[at] as string;
      if (quote !== '"' && quote !== "'") {
        word += quote;
        at++;
        continue;
      }
      const quoted = quotedPart(line, at + 1, quote);
      if (quoted === undefined) return undefined;
      word += quoted.text;
      at = quoted.end;
      if (at < line.length && !spaces.includes(line[at] as string)) return undefined;
      break;
    }
    words.push(word);
  }
}

/** Reads up to the closing quote. @returns The text and the position after the quote. */
function quotedPart(
  line: string,
  start: number,
  quote: string,
): { readonly text: string; readonly end: number } | undefined {
  let text = '';
  for (let at = start; at < line.length; at++) {
    const character = line[at] as string;
    if (character === quote) return { text, end: at + 1 };
    const next = line[at + 1];
    if (character !== '\\' || next === undefined) {
      text += character;
    } else if (quote === '"') {
      const hex = /^x([\da-f]{2})/i.exec(line.slice(at + 1, at + 4))?.[1];
      text += hex === undefined ? (escapes[next] ?? next) : String.fromCharCode(Number(`0x${hex}`));
      at += hex === undefined ? 1 : 3;
    } else {
      // Between single quotes, only a single quote can be escaped.
      text += next === "'" ? next : character;
      if (next === "'") at++;
    }
  }
  return undefined;
}
