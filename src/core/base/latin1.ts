// Text whose characters are bytes. `TextDecoder('latin1')` is no such thing: by its standard, the label means
// windows-1252, which has other characters for 27 of the bytes from 0x80 to 0x9f.

/** Arguments of one call; engines limit them. */
const charactersAtOnce = 8192;

/** Up to this length, a loop is the quickest way. */
const shortMax = 12;

/** Returns a text with one character for each byte, of the same code. */
export function latin1Text(bytes: Uint8Array): string {
  let text = '';
  if (bytes.length <= shortMax) {
    for (const byte of bytes) text += String.fromCharCode(byte);
    return text;
  }
  for (let at = 0; at < bytes.length; at += charactersAtOnce) {
    // Not spread: that would go through an iterator, which takes four times as long.
    const part = bytes.subarray(at, at + charactersAtOnce) as unknown as number[];
    text += String.fromCharCode.apply(undefined, part);
  }
  return text;
}
