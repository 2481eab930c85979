// The schema of an engines file.
import { z } from 'zod';
import { type Problem, placeAt, readDocument, ValuesError } from '../../core/values/index.ts';
import { isEndpointName } from './endpoint-name.ts';
import type { DiscoveredEndpoint } from './endpoint-source.ts';
import { endpointUrl } from './endpoint-url.ts';

const schema = z.strictObject({
  engines: z.array(
    z.strictObject({
      url: z.string(),
      name: z.string().optional(),
      label: z.string().min(1).optional(),
      models: z.array(z.string().min(1)).default([]),
    }),
  ),
});

/** @throws {ValuesError} One line per problem: file, line, key, what is allowed. */
export function parseEnginesFile(text: string, path: string): DiscoveredEndpoint[] {
  const { value, written } = readDocument(schema, text, path);
  const endpoints = new Map<string, DiscoveredEndpoint>();
  const problems: Problem[] = [];
  const names = new Set<string>();
  for (const [i, { url: given, models, name, label }] of value.engines.entries()) {
    const place = placeAt(written, ['engines', i, 'url']);
    const key = `engines[${i}].url`;
    const url = urlOf(given);
    if (url === undefined) {
      const sentence = `${key} "${given}" is not an engine URL; it must look like http://host:8000`;
      problems.push({ place, sentence });
    } else if (endpoints.has(url)) {
      problems.push({ place, sentence: `${key}: engine ${url} is listed twice` });
    } else {
      const own = { ...(name !== undefined && { name }), ...(label !== undefined && { label }) };
      endpoints.set(url, { url, models, ...own });
    }
    if (name === undefined) continue;
    const sentence = nameProblem(name, names);
    if (sentence !== undefined) {
      const at = placeAt(written, ['engines', i, 'name']);
      problems.push({ place: at, sentence: `engines[${i}].name: ${sentence}` });
    }
    names.add(name);
  }
  if (problems.length > 0) throw new ValuesError(problems);
  return [...endpoints.values()];
}

function nameProblem(name: string, taken: ReadonlySet<string>): string | undefined {
  if (taken.has(name)) return `two engines have the name "${name}"`;
  return isEndpointName(name) ? undefined : `"${name}" has a character that names cannot have`;
}

function urlOf(text: string): string | undefined {
  try {
    return endpointUrl(text);
  } catch {
    return undefined;
  }
}
