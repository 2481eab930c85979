// Names of engines in logs, headers and views.
import { InputError } from '../../core/base/index.ts';
import type { DiscoveredEndpoint } from './endpoint-source.ts';

const nameCharactersMax = 128;

/** @throws {InputError} If it cannot be written into a header line and a comma-separated list. */
export function checkEndpointName(name: string): void {
  if (isEndpointName(name)) return;
  throw new InputError(
    `An engine cannot have the name "${name}": use 1 to ${nameCharactersMax} letters, digits and . _ - : / @ +.`,
  );
}

export function isEndpointName(name: string): boolean {
  return name.length <= nameCharactersMax && /^[\w.:/@+-]+$/.test(name);
}

/**
 * Returns the name of an unnamed engine: its address.
 *
 * @example addressOf('http://10.0.0.7:8000'); // '10.0.0.7:8000'
 */
export function addressOf(url: string): string {
  return url.replace(/^https?:\/\//, '');
}

/**
 * Names engines after their model and their position among the engines of that model. Only for lists that
 * never change: in others, a removed engine would rename the ones after it.
 *
 * @example
 * // [{ url: 'http://a', models: ['Qwen/Qwen3-8B'], name: 'qwen3-8b-1' }]
 * namedByModel([{ url: 'http://a', models: ['Qwen/Qwen3-8B'] }]);
 */
export function namedByModel(endpoints: readonly DiscoveredEndpoint[]): DiscoveredEndpoint[] {
  const taken = new Set(endpoints.map(({ name }) => name));
  const counts = new Map<string, number>();
  return endpoints.map((endpoint) => {
    const slug = slugOf(endpoint.models[0] ?? '');
    const ordinal = (counts.get(slug) ?? 0) + 1;
    counts.set(slug, ordinal);
    const name = `${slug}-${ordinal}`;
    if (endpoint.name !== undefined || slug === '' || taken.has(name)) return endpoint;
    return { ...endpoint, name };
  });
}

/** Returns the last part of a model's name, in the form of file and host names. */
function slugOf(model: string): string {
  const base = model.split('/').at(-1) ?? '';
  const slug = base.toLowerCase().replace(/[^a-z0-9.]+/g, '-');
  return slug.replace(/^-+|-+$/g, '').slice(0, nameCharactersMax / 2);
}
