// Computes the difference between two sets of endpoints.
import type { DiscoveredEndpoint, EndpointChange } from './endpoint-source.ts';

/**
 * Returns the changes that lead from one set to another. Removals come first, so that a bounded set
 * never exceeds the larger of the two.
 *
 * @param before Endpoints by URL.
 * @param after Each URL once.
 */
export function changesBetween(
  before: ReadonlyMap<string, DiscoveredEndpoint>,
  after: readonly DiscoveredEndpoint[],
): EndpointChange[] {
  const urls = new Set(after.map(({ url }) => url));
  const changes: EndpointChange[] = [];
  for (const url of before.keys()) if (!urls.has(url)) changes.push({ kind: 'removed', url });
  for (const endpoint of after) {
    const known = before.get(endpoint.url);
    if (known === undefined) changes.push({ kind: 'added', endpoint });
    else if (!isSame(known, endpoint)) changes.push({ kind: 'changed', endpoint });
  }
  return changes;
}

/** Maps each endpoint by its URL. */
export function endpointsByUrl(
  endpoints: readonly DiscoveredEndpoint[],
): ReadonlyMap<string, DiscoveredEndpoint> {
  return new Map(endpoints.map((endpoint) => [endpoint.url, endpoint]));
}

function isSame(one: DiscoveredEndpoint, other: DiscoveredEndpoint): boolean {
  return (
    one.name === other.name &&
    one.label === other.label &&
    one.authorization === other.authorization &&
    one.models.length === other.models.length &&
    one.models.every((model, i) => model === other.models[i])
  );
}
