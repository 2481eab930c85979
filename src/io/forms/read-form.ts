// Reads the parts of multipart form data. A form that two readers could take for different ones is none.
import { setImmediate } from 'node:timers/promises';
import { boundaryOf } from './boundary.ts';

/** Maximum number of parts; a form with more is refused. A transcription request has about ten. */
const partsMax = 1000;
/** Maximum length of a part's head in bytes. */
const partHeadBytesMax = 16 * 1024;

/** One part, as positions in the body. */
export interface FormPart {
  readonly name: string;
  /** A part with a file name, in whichever form, is a file, never a field. */
  readonly isFile: boolean;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** Bytes searched at once. */
const sliceBytes = 1 << 20;

const [dash, carriageReturn, lineFeed] = [0x2d, 0x0d, 0x0a];

/**
 * Reads a form as RFC 7578 writes it, which is how Starlette reads it for vLLM. Everything on which parsers differ is
 * refused: lines that end otherwise, white space around a boundary, folded heads, names given twice, and a boundary
 * within a value, which no client may choose.
 *
 * @returns undefined if the body is no such form.
 * @see RFC 7578 section 4, RFC 2046 section 5.1
 */
export function readForm(
  body: Buffer,
  contentType: string | undefined,
): readonly FormPart[] | undefined {
  const delimiter = delimiterOf(contentType);
  if (delimiter === undefined) return undefined;
  const offsets = [...delimitersIn(body, delimiter)].filter((at) => at !== undefined);
  return readParts(body, delimiter, offsets);
}

/** Does the same; the event loop runs between two slices of the body. */
export async function readFormInSlices(
  body: Buffer,
  contentType: string | undefined,
): Promise<readonly FormPart[] | undefined> {
  const delimiter = delimiterOf(contentType);
  if (delimiter === undefined) return undefined;
  const offsets: number[] = [];
  for (const at of delimitersIn(body, delimiter)) {
    if (at === undefined) await setImmediate();
    else offsets.push(at);
  }
  return readParts(body, delimiter, offsets);
}

function delimiterOf(contentType: string | undefined): Buffer | undefined {
  const boundary = boundaryOf(contentType);
  return boundary === undefined ? undefined : Buffer.from(`--${boundary}`);
}

/** Yields where a delimiter is, with or without a line of its own, and undefined after each slice; stops when there are too many. */
function* delimitersIn(body: Buffer, delimiter: Buffer): Generator<number | undefined, void> {
  let found = 0;
  for (let from = 0; from < body.length; from += sliceBytes) {
    if (from > 0) yield undefined;
    // A delimiter may begin in one slice and end in the next.
    const slice = body.subarray(from, from + sliceBytes + delimiter.length - 1);
    for (let at = slice.indexOf(delimiter); at >= 0; at = slice.indexOf(delimiter, at + 1)) {
      yield from + at;
      // One ends the form; the next is too many.
      if (++found > partsMax + 1) return;
    }
  }
}

function readParts(
  body: Buffer,
  delimiter: Buffer,
  offsets: readonly number[],
): readonly FormPart[] | undefined {
  const parts: FormPart[] = [];
  for (const [index, at] of offsets.entries()) {
    const end = at + delimiter.length;
    const next = offsets[index + 1];
    if (at > 0 && !isLineEnd(body, at - 2)) return undefined;
    if (next === undefined) return isEndOfForm(body, end) ? parts : undefined;
    const part = isLineEnd(body, end) ? readPart(body, end + 2, next - 2) : undefined;
    if (part === undefined || parts.length === partsMax) return undefined;
    parts.push(part);
  }
  return undefined;
}

/** Whether the last delimiter ends the form; what follows in other lines belongs to nobody. */
function isEndOfForm(body: Buffer, at: number): boolean {
  const isMarked = body[at] === dash && body[at + 1] === dash;
  return isMarked && (at + 2 === body.length || isLineEnd(body, at + 2));
}

function isLineEnd(body: Buffer, at: number): boolean {
  return body[at] === carriageReturn && body[at + 1] === lineFeed;
}

/** @param end Where the value ends, before the line end of the next boundary. */
function readPart(body: Buffer, start: number, end: number): FormPart | undefined {
  const headEnd = body.subarray(start, Math.min(end, start + partHeadBytesMax)).indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const lines = body.toString('latin1', start, start + headEnd).split('\r\n');
  // No folded lines, no control characters, no space before the colon.
  if (!lines.every((line) => /^[\w!#$%&'*+.^`|~-]+:[\t\x20-\x7e\x80-\xff]*$/.test(line))) {
    return undefined;
  }
  const [disposition, ...others] = lines.filter((line) => /^content-disposition:/i.test(line));
  if (disposition === undefined || others.length > 0) return undefined;
  const named = readDisposition(disposition.slice(disposition.indexOf(':') + 1).trim());
  return named && { ...named, valueStart: start + headEnd + 4, valueEnd: end };
}

/** A parameter: a token, or a quoted string, whose quotes have one backslash before them: with two, parsers differ on its end. */
const parameter =
  /;[ \t]*([\w!#$&+.^`|~*-]+)=(?:"((?:[^"\\]|\\+[^"\\]|\\")*)"|([\w!#$%&'*+.^`|~-]+))/y;

function readDisposition(value: string): Pick<FormPart, 'name' | 'isFile'> | undefined {
  const [type] = /^form-data/i.exec(value) ?? [];
  if (type === undefined) return undefined;
  const parameters = new Map<string, string>();
  parameter.lastIndex = type.length;
  for (let last = type.length; last < value.length; last = parameter.lastIndex) {
    const [, key = '', quoted, token = ''] = parameter.exec(value) ?? [];
    if (key === '' || parameters.has(key.toLowerCase())) return undefined;
    parameters.set(key.toLowerCase(), quoted ?? token);
  }
  const name = nameIn(parameters);
  if (name === undefined || name.includes('\\')) return undefined;
  return { name, isFile: parameters.has('filename') || parameters.has('filename*') };
}

function nameIn(parameters: ReadonlyMap<string, string>): string | undefined {
  const keys = [...parameters.keys()].filter((key) => /^name(\*|$)/.test(key));
  if (keys.length !== 1) return undefined;
  const name = parameters.get('name');
  if (name !== undefined) return name;
  return /^utf-8''([\w.-]+)$/i.exec(parameters.get('name*') ?? '')?.[1];
}
