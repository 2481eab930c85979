// Endpoints from a list that is given at the start and never changes.
import { InputError } from '../../core/base/index.ts';
import { checkEndpointName } from './endpoint-name.ts';
import type { DiscoveredEndpoint, EndpointSource } from './endpoint-source.ts';
import { endpointUrl } from './endpoint-url.ts';

/**
 * @param name Where the list comes from, such as the flag.
 * @throws {InputError} If a URL or a name is invalid or occurs twice.
 * @example staticList([{ url: 'http://10.0.0.7:8000', models: [] }], '--static-backends');
 */
export function staticList(
  endpoints: readonly DiscoveredEndpoint[],
  name = 'static list',
): EndpointSource {
  const list = normalized(endpoints);
  return {
    name,
    async *changes(signal) {
      if (!signal.aborted) yield list.map((endpoint) => ({ kind: 'added', endpoint }) as const);
    },
  };
}

/**
 * Returns the list with each URL in its one spelling.
 *
 * @throws {InputError} If a URL or a name is invalid or occurs twice.
 */
export function normalized(endpoints: readonly DiscoveredEndpoint[]): DiscoveredEndpoint[] {
  const urls = new Set<string>();
  const names = new Set<string>();
  return endpoints.map(({ url: given, models, name, label }) => {
    const url = endpointUrl(given);
    if (urls.has(url)) throw new InputError(`Engine ${url} is listed twice.`);
    urls.add(url);
    const endpoint = label === undefined ? { url, models } : { url, models, label };
    if (name === undefined) return endpoint;
    checkEndpointName(name);
    if (names.has(name)) throw new InputError(`Two engines have the name "${name}".`);
    names.add(name);
    return { ...endpoint, name };
  });
}
