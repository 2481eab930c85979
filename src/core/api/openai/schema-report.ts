// Reports the faults of a JSON body: as FastAPI in vLLM does, and as Pydantic itself does.
import { ApiError } from './api-error.ts';
import { pythonRepr, pythonType, pythonValue } from './python-repr.ts';

/** A fault of a body, as Pydantic reports it. */
export interface Issue {
  readonly type: string;
  readonly loc: string;
  readonly msg: string;
  readonly input: unknown;
  readonly ctx?: string;
}

/** Converts a JSON value to a T, or adds its issues and returns undefined. */
export type Parser<T> = (value: unknown, loc: string, issues: Issue[]) => T | undefined;

/** The parts of a report that vLLM shows, because it could grow with the request. */
const shownMax = { issues: 10, issueCharacters: 1000, inputCharacters: 200 } as const;

/** Returns the response to a body with issues. */
export function schemaError(issues: readonly Issue[]): ApiError {
  const lines = issues.slice(0, shownMax.issues).map(({ type, loc: place, msg, input, ctx }) => {
    const loc = shownPlace(place);
    const context = ctx === undefined ? '' : `, 'ctx': ${ctx}`;
    const shown = pythonRepr(cut(inputText(input), shownMax.inputCharacters));
    const line = `{'type': '${type}', 'loc': '${loc}', 'msg': ${pythonRepr(msg)}, 'input': ${shown}${context}}`;
    return `  ${cut(line, shownMax.issueCharacters)}`;
  });
  const label = issues.length === 1 ? 'error' : 'errors';
  const left = issues.length - lines.length;
  if (left > 0) lines.push(`  ...and ${left} more ${label}`);
  const text = [`${issues.length} validation ${label}:`, ...lines].join('\n');
  const param = issues[0] ? shownPlace(issues[0].loc) : null;
  return new ApiError(400, 'Bad Request', text, { param });
}

/** Pydantic's version in vLLM 0.32.0's environment; its reports contain it. */
const pydanticVersion = '2.14';

/**
 * Returns the report that Pydantic itself writes; clients see it where vLLM does not rewrite it.
 */
export function pydanticReport(title: string, issues: readonly Issue[]): string {
  const lines = issues.map(({ type, loc, msg, input }) => {
    const value = middleCut(pythonValue(input));
    return `${loc}\n  ${msg} [type=${type}, input_value=${value}, input_type=${pythonType(input)}]\n    For further information visit https://errors.pydantic.dev/${pydanticVersion}/v/${type}`;
  });
  const label = issues.length === 1 ? 'error' : 'errors';
  return [`${issues.length} validation ${label} for ${title}`, ...lines].join('\n');
}

/** Shortens a quoted text as Pydantic does: to fifty characters, without the middle. */
function middleCut(text: string): string {
  const characters = [...text];
  if (characters.length <= 50) return text;
  return `${characters.slice(0, 25).join('')}...${characters.slice(-24).join('')}`;
}

/** Pydantic's internal names, which vLLM omits from locations, even where a client chose them. */
const internalNames = new Set(
  `function-wrap function-after function-before function-plain json-or-python lax-or-strict chain
  default nullable tagged-union union call arguments is-instance is-subclass callable str int float
  bool bytes bytearray list tuple dict set frozenset complex none nonetype`.split(/\s+/),
);

function shownPlace(loc: string): string {
  const parts = loc.split('.');
  const shown = parts.filter(
    (part) => !/[[\]{}()]/.test(part) && !internalNames.has(part.toLowerCase()),
  );
  return (shown.length > 0 ? shown : parts).join('.');
}

function cut(text: string, charactersMax: number): string {
  // A character has at most two units of a string.
  const characters = [...text.slice(0, 2 * charactersMax + 2)];
  if (characters.length <= charactersMax) return text;
  return `${characters.slice(0, charactersMax).join('')}...[truncated]`;
}

/** Returns whether an error reports that a body does not match its schema. */
export function isSchemaError(error: unknown): boolean {
  return error instanceof ApiError && error.type === 'Bad Request';
}

/** Shortens a quoted input as vLLM does. */
function inputText(input: unknown): string {
  if (Array.isArray(input)) return `<list of ${input.length} items>`;
  if (typeof input === 'object' && input !== null) {
    return `<dict of ${Object.keys(input).length} items>`;
  }
  if (typeof input === 'boolean') return input ? 'True' : 'False';
  return input === null || input === undefined ? 'None' : String(input);
}
