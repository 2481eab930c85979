// Text of others in a terminal, which obeys control characters: it would move the cursor, change the title or hide lines.

/** Control characters but line ends and tabs, and the marks that reverse the direction of text. */
const obeyed = /[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/gu;

/**
 * Writes control characters as JSON does. Text in JSON stays JSON.
 *
 * @example plainText('\u001b[31mred'); // '\\u001b[31mred'
 */
export function plainText(text: string): string {
  return text.replace(obeyed, escaped);
}

/** As `plainText`, with the line ends, too: what stands on one line cannot begin another one. */
export function plainLine(text: string): string {
  return plainText(text).replace(/[\n\u2028\u2029]/g, escaped);
}

function escaped(character: string): string {
  if (character === '\n') return '\\n';
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
