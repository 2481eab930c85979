// The end of a zstd frame (RFC 8878 §3.1), without decoding it: some versions of Node take a frame that breaks off for a whole one.

/** Bytes of the frame's content size, by the flag in its descriptor; with a single segment, the first has 1. */
const contentSizeBytes = [0, 2, 4, 8] as const;
const dictionaryBytes = [0, 1, 2, 4] as const;
const magic = 0xfd2fb528;
/** Frames of other data, which decoders skip: the last four bits are any. */
const skippableMagic = 0x184d2a50;

/** Types of blocks whose size is not the number of their bytes. */
const runLengthBlock = 1;

/**
 * Whether bytes that begin a frame reach its end. True for what is no frame: decoders say what is wrong with it.
 *
 * @example hasWholeFrame(zstdCompressSync('text')); // true
 */
export function hasWholeFrame(bytes: Buffer): boolean {
  if (bytes.length < 4) return false;
  const start = bytes.readUInt32LE(0);
  if ((start & 0xfffffff0) >>> 0 === skippableMagic) {
    return bytes.length >= 8 && bytes.length >= 8 + bytes.readUInt32LE(4);
  }
  if (start !== magic) return true;
  if (bytes.length < 5) return false;
  const descriptor = bytes[4] as number;
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = isSingle && sizeFlag === 0 ? 1 : (contentSizeBytes[sizeFlag] as number);
  let at = 5 + (isSingle ? 0 : 1) + (dictionaryBytes[descriptor & 3] as number) + sizeBytes;
  for (;;) {
    if (at + 3 > bytes.length) return false;
    const header = bytes.readUIntLE(at, 3);
    const type = (header >> 1) & 3;
    at += 3 + (type === runLengthBlock ? 1 : header >> 3);
    if ((header & 1) === 1) break;
  }
  const checksumBytes = (descriptor & 4) === 0 ? 0 : 4;
  return at + checksumBytes <= bytes.length;
}
