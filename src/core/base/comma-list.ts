// Comma-separated lists.

/**
 * Splits a comma-separated list; drops blanks around items, and empty items.
 *
 * @example commaList('a, b,'); // ['a', 'b']
 */
export function commaList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
