// Reads one text field of multipart form data.
import { isUtf8 } from 'node:buffer';
import { type FormPart, readFormInSlices } from './read-form.ts';

/** Maximum length of a field's value in bytes; a longer one counts as absent. */
const valueBytesMax = 1024;

/**
 * Reads one text field of a form. If several fields have the same name, the last one counts, as in the forms of FastAPI that vLLM reads.
 *
 * @returns undefined if the body is not a form that all readers read alike, if it has no such field or a file of this
 * name, or if the value is too long or no UTF-8.
 * @example await formField(body, 'multipart/form-data; boundary=x', 'model'); // 'whisper-large-v3'
 */
export async function formField(
  bytes: Uint8Array,
  contentType: string | undefined,
  name: string,
): Promise<string | undefined> {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = ((await readFormInSlices(body, contentType)) ?? []).filter(
    (part) => part.name === name,
  );
  const last = found.at(-1);
  if (last === undefined || found.some(({ isFile }) => isFile)) return undefined;
  return textOf(body, last);
}

function textOf(body: Buffer, { valueStart, valueEnd }: FormPart): string | undefined {
  const value = body.subarray(valueStart, valueEnd);
  return value.length <= valueBytesMax && isUtf8(value) ? value.toString() : undefined;
}
