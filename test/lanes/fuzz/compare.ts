// Compares the responses to a random request, except for what the sampler decides.
import { compareAnswers } from '../../support/wire-compare.ts';
import type { WireAnswer } from '../../support/wire-record.ts';
import type { FuzzRequest } from './requests/index.ts';

/** Written by the random weights of the real vLLM. */
const noise = ['output_messages'];

/** The pieces of a text are random, their number is not. */
const pieces: Readonly<Record<string, (value: readonly unknown[]) => unknown>> = {
  // A token that is part of a character has no bytes of its own.
  bytes: () => [0],
  tokens: (texts) => (texts.every((one) => typeof one === 'string') ? texts.map(() => '') : texts),
  text_offset: (offsets) => offsets.map((offset) => typeof offset),
};

/** A response without the contents of its pieces. */
function withoutPieces(answer: WireAnswer): WireAnswer {
  const steadied = (json: string) =>
    JSON.stringify(
      JSON.parse(json, (key, value: unknown) =>
        Array.isArray(value) && Object.hasOwn(pieces, key) ? pieces[key]?.(value) : value,
      ),
    );
  return {
    ...answer,
    ...(answer.body?.startsWith('{') && { body: steadied(answer.body) }),
    ...(answer.sse && {
      sse: answer.sse.map((event) =>
        event.replace(/^data: (\{.*)$/m, (_line, json: string) => `data: ${steadied(json)}`),
      ),
    }),
  };
}

/** With a constraint, the sampler chooses among the allowed texts, and when it ends. */
const chosen = [
  ...['finish_reason', 'stop_reason', 'stop_sequence', 'usage.completion_tokens'],
  ...['usage.total_tokens', 'usage.output_tokens', 'choices[].text', 'choices[].token_ids'],
];

/** @returns The first difference, or undefined. */
export function difference(
  request: FuzzRequest,
  real: WireAnswer,
  own: WireAnswer,
): string | undefined {
  if (isConstrained(request) && real.sse && own.sse && (own.status ?? 0) < 400) {
    return streamUnderConstraint(request, real, own);
  }
  const loose = [...noise, ...(isConstrained(request) ? chosen : []), ...(request.loose ?? [])];
  const one = {
    id: real.id,
    method: request.method,
    path: request.path.split('?')[0] ?? '',
    loose,
  };
  try {
    const [a, b] = [withoutPieces(real), withoutPieces(own)];
    return compareAnswers(a, b, one) ?? messageDifference(real, own);
  } catch (error) {
    return `cannot be compared: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/**
 * With a constraint, random weights decide the text and its end, and the chunks follow from it.
 * What remains is how the stream starts and ends, and whether it fails.
 */
function streamUnderConstraint(
  request: FuzzRequest,
  real: WireAnswer,
  own: WireAnswer,
): string | undefined {
  // Compared individually, because the number of events in between differs.
  const first = (answer: WireAnswer) => ({ ...answer, sse: answer.sse?.slice(0, 1) ?? [] });
  const last = (answer: WireAnswer) => ({ ...answer, sse: answer.sse?.slice(-1) ?? [] });
  const one = { id: real.id, method: request.method, path: request.path, loose: chosen };
  const failure = (answer: WireAnswer) => answer.sse?.some((text) => text.includes('"error":'));
  if (failure(real) !== failure(own)) return `stream fails: ${failure(own)}, not ${failure(real)}`;
  return compareAnswers(first(real), first(own), one) ?? compareAnswers(last(real), last(own), one);
}

function isConstrained({ body }: FuzzRequest): boolean {
  const fields = Object(body) as Readonly<Record<string, unknown>>;
  const inner = Object(fields['sampling_params']) as Readonly<Record<string, unknown>>;
  const names = ['structured_outputs', 'response_format', 'tools', 'text'];
  return names.some((name) => fields[name] != null || inner[name] != null);
}

/** Compares the error messages, if FUZZ_MESSAGES is set. */
function messageDifference(real: WireAnswer, own: WireAnswer): string | undefined {
  if (!process.env['FUZZ_MESSAGES'] || (real.status ?? 0) < 400) return undefined;
  const [a, b] = [messageOf(real), messageOf(own)];
  if (a === b) return undefined;
  const [realText, ownText] = [String(a), String(b)];
  let at = 0;
  while (at < realText.length && realText[at] === ownText[at]) at++;
  const shown = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 60), at + 140));
  return `message is …${shown(ownText)}, not …${shown(realText)}`;
}

function messageOf({ body }: WireAnswer): unknown {
  const { error } = Object(JSON.parse(body || 'null')) as { error?: { message?: unknown } };
  return error?.message;
}
