// Makes room on a full disk: the newest events of a run give way to its result.
import { open } from 'node:fs/promises';

const newline = 0x0a;

/**
 * Removes whole lines from the end of a file until it is at least so many bytes shorter, or empty.
 *
 * @returns How many lines were removed.
 */
export async function cutEvents(path: string, bytes: number): Promise<number> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    // The cut is moved to the start of a line, at most one line further down.
    const from = Math.max(0, size - bytes - lineBytesMax);
    const tail = Buffer.alloc(size - from);
    const { bytesRead } = await file.read(tail, 0, tail.length, from);
    const limit = Math.max(0, size - bytes - from);
    const lastEnd = from === 0 && limit === 0 ? -1 : tail.lastIndexOf(newline, limit - 1);
    const kept = lastEnd + 1;
    await file.truncate(from + kept);
    let lines = 0;
    for (let at = kept; at < bytesRead; at++) if (tail[at] === newline) lines++;
    return lines;
  } finally {
    await file.close();
  }
}

/** No event is longer: messages of errors are short. Were one longer, all events from `from` on would go. */
const lineBytesMax = 64 * 1024;
