// Parses query parameters as FastAPI does: the last value of a name counts, and faults are
// reported.
import { type Issue, type Parser, schemaError } from '../../../core/api/index.ts';
import type { Exchange } from './exchange.ts';

/**
 * @param shape Parameters in the order in which faults are reported.
 * @returns Undefined for each absent parameter.
 * @throws {ApiError} 400 with all issues.
 * @example readQuery(exchange, { level: integer(0, 2) }).level ?? 1
 */
export function readQuery<S extends Readonly<Record<string, Parser<unknown>>>>(
  exchange: Exchange,
  shape: S,
): { readonly [K in keyof S]: (S[K] extends Parser<infer T> ? T : never) | undefined } {
  const issues: Issue[] = [];
  const read: Record<string, unknown> = {};
  for (const [name, parser] of Object.entries(shape)) {
    const value = exchange.url.searchParams.getAll(name).at(-1);
    read[name] = value === undefined ? undefined : parser(value, `query.${name}`, issues);
  }
  if (issues.length > 0) throw schemaError(issues);
  return read as never;
}
