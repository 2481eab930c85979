// Gives a text field of multipart form data another value; all other bytes are unchanged.
import { readForm } from './read-form.ts';

/** White space that clients put around a name; more of it is another value. */
const spaceBytesMax = 64;

/**
 * @param field A field that `formField` found.
 * @returns Undefined if no part is this field with this value, as written in the bytes.
 */
export function replaceFormField(
  body: Buffer,
  contentType: string | undefined,
  field: { readonly name: string; readonly from: string; readonly to: string },
): Buffer | undefined {
  const value = Buffer.from(field.from);
  const kept: Buffer[] = [];
  let copied = 0;
  for (const { name, isFile, valueStart, valueEnd } of readForm(body, contentType) ?? []) {
    if (name !== field.name || isFile || !isAt(body, valueStart, valueEnd, value)) continue;
    kept.push(body.subarray(copied, valueStart), Buffer.from(field.to));
    copied = valueEnd;
  }
  return kept.length === 0 ? undefined : Buffer.concat([...kept, body.subarray(copied)]);
}

function isAt(body: Buffer, start: number, end: number, value: Buffer): boolean {
  if (end - start > value.length + spaceBytesMax) return false;
  return body.toString('latin1', start, end).trim() === value.toString('latin1');
}
