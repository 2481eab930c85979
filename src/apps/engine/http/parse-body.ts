// Parses JSON as Python does: with NaN and infinities, and with a limited depth.
import { ApiError, badRequest, pythonRepr, schemaError } from '../../../core/api/index.ts';
import { jsonFault } from '../base/json-fault.ts';
import { parsePythonJson } from '../base/python-json.ts';
import { type BodyScan, depthMax, pythonValuesMax } from './body-scan.ts';
import { FrameworkError } from './framework-error.ts';

/** Strings, which stay unchanged, and the numbers that only Python writes. */
const pythonNumbers = /("(?:[^"\\]|\\.)*")|(-?Infinity|NaN)/g;

/** Python's integers have any length; here, numbers from 1e21 on would count as floats. */
const hugeInteger = /\d{22}/;
const integerMost = 2 ** 69;

/** Keeps the number an integer: its digits are lost, but it still counts as far too large. */
function asInteger(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || !/^-?\d{22,}$/.test(context?.source ?? '')) return value;
  return Math.sign(value) * integerMost;
}

/**
 * @param scan Of a long body, which has been looked through.
 * @throws {FrameworkError} If nested too deeply. @throws {ApiError} 400 if it is not JSON.
 */
export function parseBody(text: string, scan?: BodyScan): unknown {
  if (scan?.isTooDeep ?? isTooDeep(text)) {
    throw new FrameworkError(400, 'There was an error parsing the body');
  }
  const isShort = scan === undefined || scan.values <= pythonValuesMax;
  try {
    return isShort && hugeInteger.test(text) ? JSON.parse(text, asInteger) : JSON.parse(text);
  } catch {
    const numbers = parseWithPythonNumbers(text, isShort);
    if (numbers !== undefined) return numbers;
    const { position, words } = jsonFault(text);
    const issue = { type: 'json_invalid', msg: 'JSON decode error', input: {} };
    const ctx = `{'error': ${pythonRepr(words)}}`;
    throw schemaError([{ ...issue, loc: `body.${position}`, ctx }]);
  }
}

/**
 * Like `parseBody`, for routes that read their body without FastAPI in vLLM.
 *
 * @throws {ApiError} 400 with the message of Python's own exception; 500 if nested too deeply.
 */
export function parseOwnBody(bytes: Uint8Array, scan?: BodyScan): unknown {
  const text = ownText(bytes);
  try {
    return parseBody(text, scan);
  } catch (error) {
    if (error instanceof FrameworkError) {
      const words =
        'maximum recursion depth exceeded while decoding a JSON array from a unicode string';
      throw new ApiError(500, 'InternalServerError', words);
    }
    throw new ApiError(400, 'Bad Request', `JSON decode error: ${faultOf(text)}`);
  }
}

function faultOf(text: string): string {
  try {
    parsePythonJson(text);
    return '';
  } catch (error) {
    return (error as SyntaxError).message;
  }
}

function ownText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ApiError(400, 'BadRequestError', "'utf-8' codec can't decode the body");
  }
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) i = endOfString(text, i);
    else if (code === 0x5b || code === 0x7b) {
      if (++depth > depthMax) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}

function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return text.length;
}

/** @returns Undefined if it is not JSON with such numbers either. */
function parseWithPythonNumbers(text: string, isShort: boolean): unknown {
  if (!/NaN|Infinity/.test(text)) return undefined;
  if (!isShort) {
    throw badRequest(
      `A body with NaN or Infinity may have at most ${pythonValuesMax} values. Send smaller requests.`,
    );
  }
  const mark = '\u0000python:';
  const quoted = text.replace(pythonNumbers, (whole, _string, number?: string) =>
    number === undefined ? whole : JSON.stringify(mark + number),
  );
  try {
    return JSON.parse(quoted, (_key, value: unknown) =>
      typeof value === 'string' && value.startsWith(mark)
        ? Number(value.slice(mark.length))
        : value,
    );
  } catch {
    return undefined;
  }
}
