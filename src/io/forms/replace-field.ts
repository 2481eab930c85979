// Gives a text field of multipart form data another value; all other bytes are unchanged.
import { boundaryOf } from './boundary.ts';

/** A part's head is searched for its end within this many bytes, the bound of `formField`. */
const partHeaderBytesMax = 16 * 1024;

/**
 * @param field A field that `formField` found.
 * @returns Undefined if no part is this field with this value, as written in the bytes.
 */
export function replaceFormField(
  body: Buffer,
  contentType: string | undefined,
  field: { readonly name: string; readonly from: string; readonly to: string },
): Buffer | undefined {
  const boundary = boundaryOf(contentType);
  if (boundary === undefined) return undefined;
  const delimiter = Buffer.from(`--${boundary}`);
  const value = Buffer.from(field.from);
  const kept: Buffer[] = [];
  let copied = 0;
  for (let at = delimiterFrom(body, delimiter, 0); at >= 0; ) {
    const next = delimiterFrom(body, delimiter, at + delimiter.length);
    const start = valueStart(body, at + delimiter.length, field.name);
    const end = next - 2;
    if (next >= 0 && start !== undefined && start <= end && isAt(body, start, end, value)) {
      kept.push(body.subarray(copied, start), Buffer.from(field.to));
      copied = end;
    }
    at = next;
  }
  return kept.length === 0 ? undefined : Buffer.concat([...kept, body.subarray(copied)]);
}

/** The next delimiter at the start of a line; -1 if there is none. */
function delimiterFrom(body: Buffer, delimiter: Buffer, from: number): number {
  for (let at = body.indexOf(delimiter, from); at >= 0; at = body.indexOf(delimiter, at + 1)) {
    const end = at + delimiter.length;
    const startsLine = at === 0 || body.toString('latin1', at - 2, at) === '\r\n';
    const follows = body.toString('latin1', end, end + 2);
    if (startsLine && (follows === '\r\n' || follows === '--')) return at;
  }
  return -1;
}

/** White space that clients put around a name; more of it is another value. */
const spaceBytesMax = 64;

function isAt(body: Buffer, start: number, end: number, value: Buffer): boolean {
  if (end - start > value.length + spaceBytesMax) return false;
  return body.toString('latin1', start, end).trim() === value.toString('latin1');
}

/** Where the value of a part begins, if its head names this field and no file. */
function valueStart(body: Buffer, at: number, name: string): number | undefined {
  const headEnd = body.subarray(at, at + partHeaderBytesMax).indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = body.toString('latin1', at, at + headEnd);
  const [disposition = ''] = /^content-disposition:.*$/im.exec(head) ?? [];
  if (/;\s*filename\*?=/i.test(disposition)) return undefined;
  const [, found] = /;\s*name\*?=(?:utf-8'[^']*')?"?([^";\r\n]*)"?/i.exec(disposition) ?? [];
  return found === name ? at + headEnd + 4 : undefined;
}
