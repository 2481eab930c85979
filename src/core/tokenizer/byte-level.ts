// The alphabet of byte-level vocabularies: one printable character per byte.

/**
 * Shape [256]: the character for each byte. Printable Latin-1 characters represent themselves; the
 * other 68 bytes use the characters from U+0100 on.
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

/** Returns the byte for a UTF-16 unit of a vocabulary entry; undefined outside the alphabet. */
export function byteOfCharacter(codeUnit: number): number | undefined {
  return characterToByte.get(codeUnit);
}
