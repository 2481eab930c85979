// The environment of a router child. Keys are passed here, since every user can read command lines.
import { withoutCredentials } from '../base/index.ts';
import type { Values } from '../values/index.ts';
import type { Backend } from './router-flags.ts';

/**
 * Variables with the keys that the values hold: of engines, of clients, and of routers among themselves; and the URLs of engines that have a
 * user and a password.
 */
export function routerEnvironment(
  { servingEngineSpec, routerSpec }: Values,
  backends: readonly Backend[],
): Record<string, string> {
  const logins = backends.flatMap(({ url, given = url }) =>
    withoutCredentials(given) === given ? [] : [given.replaceAll(',', '%2C')],
  );
  const keys = {
    SPILLWAY_ENGINE_URLS: logins.join(','),
    VLLM_API_KEY: servingEngineSpec.vllmApiKey,
    SPILLWAY_ROUTER_API_KEY: routerSpec.apiKey,
    SPILLWAY_ROUTER_PEERS_KEY: routerSpec.peersKey,
  };
  const given = Object.entries(keys).filter((entry): entry is [string, string] => isText(entry[1]));
  return Object.fromEntries(given);
}

/** The key that clients of the router must send; undefined if they need none. */
export function routerKeyOf(
  { routerSpec: { apiKey } }: Values,
  inherited: Readonly<Record<string, string | undefined>>,
): string | undefined {
  return isText(apiKey) ? apiKey : inherited['SPILLWAY_ROUTER_API_KEY']?.trim() || undefined;
}

function isText(key: unknown): key is string {
  return typeof key === 'string' && key !== '';
}
