// Reads a part of a file to where it belongs, in large pieces, several at once.
import type { OpenFile } from './disk-files.ts';
import { afterBytes } from './write-file.ts';

/** Bytes read by one call; a smaller value takes one call. */
const pieceBytes = 4 << 20;
/** Pieces of one file that are read at once. */
const piecesAtOnce = 2;

interface Piece {
  readonly spans: readonly Uint8Array[];
  /** Its place in the file. */
  readonly position: number;
}

/**
 * @param spans Where the bytes belong, in order; none is written to after the end of the call.
 * @param position Of the first byte in the file.
 * @returns Whether the file has them all.
 */
export async function readFile(
  file: OpenFile,
  spans: readonly Uint8Array[],
  position: number,
): Promise<boolean> {
  const pieces = piecesOf(spans, position);
  let isWhole = true;
  const reader = async () => {
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      if (!isWhole) return;
      const isFull = await readPiece(file, piece).catch((error) => {
        isWhole = false;
        throw error;
      });
      isWhole &&= isFull;
    }
  };
  const readers = Array.from({ length: Math.min(piecesAtOnce, pieces.length) }, reader);
  for (const result of await Promise.allSettled(readers)) {
    if (result.status === 'rejected') throw result.reason;
  }
  return isWhole;
}

/** Reads may end early, by a signal or at some file systems' bounds. */
async function readPiece(file: OpenFile, { spans, position }: Piece): Promise<boolean> {
  let rest = spans;
  for (let at = position; rest.length > 0; ) {
    const { bytesRead } = await file.readv(rest, at);
    if (bytesRead === 0) return false;
    at += bytesRead;
    rest = afterBytes(rest, bytesRead);
  }
  return true;
}

function piecesOf(spans: readonly Uint8Array[], position: number): Piece[] {
  const pieces: Piece[] = [];
  let piece: Uint8Array[] = [];
  let [start, bytes] = [position, 0];
  const end = () => {
    if (bytes > 0) pieces.push({ spans: piece, position: start });
    start += bytes;
    [piece, bytes] = [[], 0];
  };
  for (const span of spans) {
    for (let at = 0; at < span.length; ) {
      const part = span.subarray(at, at + pieceBytes - bytes);
      piece.push(part);
      at += part.length;
      bytes += part.length;
      if (bytes === pieceBytes) end();
    }
  }
  end();
  return pieces;
}
