// The schema of an engines file.
import { z } from 'zod';
import { type EngineAddress, engineAddress, withoutCredentials } from '../../core/base/index.ts';
import { type Problem, placeAt, readDocument, ValuesError } from '../../core/values/index.ts';
import { isEndpointName } from './endpoint-name.ts';
import type { DiscoveredEndpoint } from './endpoint-source.ts';

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
    const address = addressOf(given);
    const url = address?.url;
    if (address === undefined || url === undefined) {
      const sentence = `${key} "${withoutCredentials(given)}" is not an engine URL; it must look like http://host:8000`;
      problems.push({ place, sentence });
    } else if (endpoints.has(url)) {
      problems.push({ place, sentence: `${key}: engine ${url} is listed twice` });
    } else {
      const { authorization, note } = address;
      const own = {
        ...(name !== undefined && { name }),
        ...(label !== undefined && { label }),
        ...(authorization !== undefined && { authorization }),
        ...(note !== undefined && { note }),
      };
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

function addressOf(text: string): EngineAddress | undefined {
  try {
    return engineAddress(text);
  } catch {
    return undefined;
  }
}
