// Text whose characters are bytes. `TextDecoder('latin1')` is no such thing: by its standard, the label means
// windows-1252, which has other characters for 27 of the bytes from 0x80 to 0x9f.

/** Arguments of one call; engines limit them. */
const charactersAtOnce = 8192;

/** Returns a text with one character for each byte, of the same code. */
export function latin1Text(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += charactersAtOnce) {
    text += String.fromCharCode(...bytes.subarray(at, at + charactersAtOnce));
  }
  return text;
}
