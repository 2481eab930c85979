// Endpoints from a list that is given at the start and never changes.
import { engineAddress, InputError, withoutUndefined } from '../../core/base/index.ts';
import { checkEndpointName } from './endpoint-name.ts';
import type { DiscoveredEndpoint, EndpointSource } from './endpoint-source.ts';

/**
 * @param name Where the list comes from, such as the flag.
 * @throws {InputError} As `normalized`.
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
 * Returns the list with each URL in its one spelling, without credentials, and each engine once: one that is listed
 * several times serves the models of all entries, as upstream's flags name several models of one engine.
 *
 * @throws {InputError} If a URL or a name is invalid, two engines have one name, or one engine two names or labels.
 */
export function normalized(endpoints: readonly DiscoveredEndpoint[]): DiscoveredEndpoint[] {
  const engines = new Map<string, DiscoveredEndpoint>();
  const names = new Map<string, string>();
  for (const endpoint of endpoints) {
    const { models, name, label } = endpoint;
    const { url, authorization, note } = engineAddress(endpoint.url);
    if (name !== undefined) {
      checkEndpointName(name);
      const other = names.get(name) ?? url;
      if (other !== url) throw new InputError(`Two engines have the name "${name}".`);
      names.set(name, url);
    }
    const known = engines.get(url);
    const all = { models: [...new Set([...(known?.models ?? []), ...models])] };
    engines.set(url, {
      ...{ url, ...all },
      ...withoutUndefined({
        name: one(url, 'name', known?.name, name),
        label: one(url, 'label', known?.label, label),
        // A list that has been read already keeps what was in its URLs.
        authorization: known?.authorization ?? authorization ?? endpoint.authorization,
        note: known?.note ?? note ?? endpoint.note,
      }),
    });
  }
  return [...engines.values()];
}

/** @throws {InputError} If both are given and differ. */
function one(
  url: string,
  what: string,
  known: string | undefined,
  given: string | undefined,
): string | undefined {
  if (known !== undefined && given !== undefined && known !== given) {
    throw new InputError(
      `Engine ${url} is listed twice, with the ${what}s "${known}" and "${given}": give it one.`,
    );
  }
  return known ?? given;
}
