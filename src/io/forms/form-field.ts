// Reads one text field of multipart form data with @fastify/busboy.
import { setImmediate } from 'node:timers/promises';
import { boundaryOf } from './boundary.ts';

/** Maximum length of a field's value; a longer one counts as absent. */
const valueBytesMax = 1024;
/** Maximum number of parts; a form with more is refused. A transcription request has about ten. */
const partsMax = 1000;
const partHeadersMax = 100;
const partHeaderBytesMax = 16 * 1024;
/** Turns of the event loop within which the parser ends after its last byte. */
const endTurnsMax = 4;
/** Bytes parsed at once; the event loop runs between two slices. */
const sliceBytes = 256 * 1024;

/**
 * Reads one text field of a form. A part with a file name is a file, never a field. If several
 * fields have the same name, the last one counts, as in the forms of FastAPI that vLLM reads.
 *
 * @returns Undefined if the body is not a complete form, exceeds a bound, or has no such field.
 * @example await formField(body, 'multipart/form-data; boundary=x', 'model'); // 'whisper-large-v3'
 */
export async function formField(
  body: Uint8Array,
  contentType: string | undefined,
  name: string,
): Promise<string | undefined> {
  if (hasTooManyDelimiters(body, boundaryOf(contentType))) return undefined;
  // Imported here because most routers never receive a form.
  const { Busboy } = await import('@fastify/busboy');
  let value: string | undefined;
  let isBroken = false;
  const fail = () => {
    isBroken = true;
  };
  try {
    // Throws on a content type without a boundary, and on a boundary of more than 256 bytes.
    const parser = new Busboy({
      headers: { 'content-type': contentType ?? '' },
      limits: {
        parts: partsMax,
        fieldSize: valueBytesMax,
        headerPairs: partHeadersMax,
        headerSize: partHeaderBytesMax,
      },
      isPartAFile: (_field, _type, fileName) => fileName !== undefined,
    });
    parser.on('error', fail);
    parser.on('partsLimit', fail);
    // Without a listener for files, busboy skips their bytes.
    parser.on('field', (field, text, _nameTruncated, isTruncated) => {
      if (field === name) value = isTruncated ? undefined : text;
    });
    for (let at = 0; at < body.length && !isBroken; at += sliceBytes) {
      if (at > 0) await setImmediate();
      parser.write(body.subarray(at, at + sliceBytes));
    }
    if (!isBroken && !(await ended(parser))) return undefined;
  } catch {
    return undefined;
  }
  return isBroken ? undefined : value;
}

/**
 * Counted before parsing, because busboy counts only parts with headers, and makes a stream for each part
 * without: up to 140 ms for 200 KB of delimiters.
 */
function hasTooManyDelimiters(body: Uint8Array, boundary: string | undefined): boolean {
  if (boundary === undefined) return false;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  let count = 0;
  // The last delimiter ends the form.
  for (let at = bytes.indexOf(delimiter); at >= 0 && count <= partsMax + 1; count++) {
    at = bytes.indexOf(delimiter, at + delimiter.length);
  }
  return count > partsMax + 1;
}

/**
 * Waits for the parser's end. All bytes are in memory, so it comes within a few turns, or never: busboy
 * does not read on after 64 KiB of a part without headers, and reports neither an end nor an error.
 *
 * @returns Whether the form is complete.
 */
async function ended(parser: NodeJS.WritableStream): Promise<boolean> {
  let isComplete = false;
  parser.once('finish', () => {
    isComplete = true;
  });
  parser.end();
  for (let turn = 0; turn < endTurnsMax && !isComplete; turn++) await setImmediate();
  return isComplete;
}
