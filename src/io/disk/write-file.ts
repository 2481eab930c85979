// Writes a new file from parts, without joining them.
import type { DiskFiles } from './disk-files.ts';

/**
 * Bytes written by one call. Linux may take folios as large as a write for the page cache; calls of 2 MiB, which need huge ones, took six
 * times as long as two of 1 MiB (ext4, Linux 6.18).
 */
const writeBytesMax = 3 << 19;

/**
 * @param size Bytes of all parts.
 * @throws If the file exists, or if the disk takes no more bytes.
 */
export async function writeFile(
  files: DiskFiles,
  path: string,
  parts: readonly Uint8Array[],
  size: number,
): Promise<void> {
  const file = await files.open(path, 'wx');
  try {
    let rest: readonly Uint8Array[] = parts.filter((part) => part.length > 0);
    for (let at = 0; at < size; ) {
      const { bytesWritten } = await file.writev(firstBytes(rest, writeBytesMax), at);
      if (bytesWritten === 0) throw new Error(`${at} of ${size} bytes were written`);
      at += bytesWritten;
      rest = afterBytes(rest, bytesWritten);
    }
  } finally {
    await file.close();
  }
}

/** The parts up to a number of bytes. */
function firstBytes(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes;
  const first: Uint8Array[] = [];
  for (const part of parts) {
    if (left === 0) break;
    const taken = part.subarray(0, left);
    first.push(taken);
    left -= taken.length;
  }
  return first;
}

/** The parts without their first bytes, and without empty ones. */
export function afterBytes(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skipped = bytes;
  return parts.flatMap((part) => {
    const rest = part.subarray(Math.min(skipped, part.length));
    skipped -= part.length - rest.length;
    return rest.length === 0 ? [] : [rest];
  });
}
