// Writes a new file from parts, without joining them.
import type { DiskFiles } from './disk-files.ts';

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
      const { bytesWritten } = await file.writev(rest, at);
      if (bytesWritten === 0) throw new Error(`${at} of ${size} bytes were written`);
      at += bytesWritten;
      rest = afterBytes(rest, bytesWritten);
    }
  } finally {
    await file.close();
  }
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
