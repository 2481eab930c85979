// Counts with their nouns, in the number that fits.

/**
 * 2 and `engine` as `2 engines`, 1 as `1 engine`, 1701 and `request` as `1,701 requests`.
 *
 * @param plural For nouns that do not just take an s.
 */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${Math.round(value).toLocaleString('en-US')} ${value === 1 ? noun : plural}`;
}
