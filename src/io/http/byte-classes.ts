// Byte classes of RFC 9110 and 9112 in one table, so that parsers test a byte with one load.

export const byteCr = 0x0d;
export const byteLf = 0x0a;
export const byteSpace = 0x20;
export const byteTab = 0x09;
export const byteColon = 0x3a;

/** RFC 9110 §5.6.2 `tchar`. */
export const classToken = 1;
/** RFC 9110 §5.5 field content: HTAB, SP, VCHAR, obs-text. */
export const classFieldValue = 2;
/** Characters of a request target: visible ASCII, no fragment. */
export const classTarget = 4;
/** Characters of a Host value: RFC 3986 host characters, brackets, colon, percent. */
export const classHost = 8;
const classHexDigit = 16;

export const byteClasses: Uint8Array = buildTable();

function buildTable(): Uint8Array {
  const table = new Uint8Array(256);
  const add = (byte: number, bit: number) => {
    table[byte] = (table[byte] as number) | bit;
  };
  const addAll = (characters: string, bit: number) => {
    for (const character of characters) add(character.charCodeAt(0), bit);
  };
  const letters = 'abcdefghijklmnopqrstuvwxyz';
  const alphanumeric = `0123456789${letters}${letters.toUpperCase()}`;
  addAll(`!#$%&'*+-.^_\`|~${alphanumeric}`, classToken);
  addAll(`-._~!$&'()*+,;=:[]%${alphanumeric}`, classHost);
  addAll('0123456789abcdefABCDEF', classHexDigit);
  add(byteTab, classFieldValue);
  for (let byte = 0x20; byte < 0x100; byte++) {
    if (byte !== 0x7f) add(byte, classFieldValue);
    if (byte > 0x20 && byte < 0x7f && byte !== 0x23) add(byte, classTarget);
  }
  return table;
}
