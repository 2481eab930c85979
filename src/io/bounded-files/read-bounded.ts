// Reads a file whose size is bounded, whatever the path leads to.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Bytes of one read of a file that reports no size, such as a pipe or a device. */
const stepBytes = 65_536;

/**
 * No more than the bound and one byte is read, also of a file that grows meanwhile or has no end.
 *
 * @param waits Whether a pipe is read to its end, however long its writer takes. A file that is followed does not: a pipe without a writer
 *   is empty, and one with a writer that has nothing yet is an error (EAGAIN). @default true
 * @returns Undefined if it has more bytes.
 * @throws As `open` and `read` do.
 */
export async function readBounded(
  path: string,
  bytesMax: number,
  waits = true,
): Promise<Buffer | undefined> {
  const file = await open(path, waits ? 'r' : constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    // A folder has a size, too; its error is that of the read.
    const size = stats.isFile() ? stats.size : 0;
    if (size > bytesMax) return undefined;
    const parts: Buffer[] = [];
    for (let bytes = 0; bytes <= bytesMax; ) {
      const part = Buffer.allocUnsafe(
        Math.min(Math.max(size + 1, stepBytes), bytesMax + 1 - bytes),
      );
      const { bytesRead } = await file.read(part);
      if (bytesRead === 0) return Buffer.concat(parts);
      parts.push(part.subarray(0, bytesRead));
      bytes += bytesRead;
    }
    return undefined;
  } finally {
    await file.close();
  }
}
