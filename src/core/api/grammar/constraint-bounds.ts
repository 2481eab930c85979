// Bounds on what a request may ask its engine to compile: while that happens, the engine's other requests wait.
import { badRequest } from '../openai/api-error.ts';

/**
 * Most values in a schema, a structural tag or all tools: objects, lists, texts and numbers. All checks of as many take less than
 * 100 ms here. vLLM has no such bound: it compiles in threads of its own.
 */
const constraintValuesMax = 65_536;

/** Most characters of all texts and names in them, for the same reason. */
const constraintCharactersMax = 2 ** 20;

/** Longest regular expression, in characters: reading one takes 20 ms at most. */
export const regexCharactersMax = 262_144;

/**
 * Counts no further than the bounds.
 *
 * @param what Names it in the message: `JSON schema`.
 * @throws {ApiError} 400 if it is too large to compile.
 */
export function checkConstraintSize(constraint: unknown, what: string): void {
  const { values, characters } = jsonSize(constraint, constraintValuesMax);
  if (values > constraintValuesMax) throw tooLarge(what, `${constraintValuesMax} values`);
  if (characters > constraintCharactersMax) {
    throw tooLarge(what, `${constraintCharactersMax} characters`);
  }
}

/**
 * The size of a JSON value: its objects, lists, texts, numbers and so on, and the characters of its texts and names.
 *
 * @param valuesMax Counting ends a little beyond it.
 */
export function jsonSize(
  json: unknown,
  valuesMax: number,
): { readonly values: number; readonly characters: number } {
  const open: unknown[] = [json];
  let values = 0;
  let characters = 0;
  while (open.length > 0 && values + open.length <= valuesMax + 1) {
    const value = open.pop();
    values++;
    if (typeof value === 'string') characters += value.length;
    else if (Array.isArray(value)) {
      if (value.length > valuesMax) return { values: valuesMax + 1, characters };
      for (const one of value) open.push(one);
    } else if (typeof value === 'object' && value !== null) {
      for (const name in value) {
        characters += name.length;
        open.push((value as Readonly<Record<string, unknown>>)[name]);
      }
    }
  }
  return { values: values + open.length, characters };
}

/** For a constraint that is given as text. @throws {ApiError} 400 if it is too long to compile. */
export function checkConstraintText(text: string, what: string): void {
  if (text.length > constraintCharactersMax) {
    throw tooLarge(what, `${constraintCharactersMax} characters`);
  }
}

function tooLarge(what: string, bound: string): Error {
  return badRequest(
    `The ${what} has more than ${bound}, the most that this engine compiles. Send a smaller one.`,
  );
}
