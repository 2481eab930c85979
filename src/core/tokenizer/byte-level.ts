// The alphabet in which byte-level vocabularies are written: one printable character per byte.

/**
 * Shape [256]: the character that stands for each byte. Printable Latin-1 stands for itself, the
 * other 68 bytes take the characters from U+0100 on.
 *
 * @see https://github.com/openai/gpt-2/blob/master/src/encoder.py, `bytes_to_unicode`
 */
export const byteToCharacter: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(isPrintable ? byte : next++);
  });
})();

const characterToByte: ReadonlyMap<number, number> = new Map(
  byteToCharacter.map((character, byte) => [character.charCodeAt(0), byte]),
);

/** The byte that a UTF-16 unit of a vocabulary entry stands for; undefined outside the alphabet. */
export function byteOfCharacter(codeUnit: number): number | undefined {
  return characterToByte.get(codeUnit);
}
