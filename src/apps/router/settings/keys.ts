// API keys: from clients, to engines, and between routers.
import { InputError } from '../../../core/base/index.ts';
import type { RouterOptions } from '../options.ts';
import type { UpstreamHeadParts } from '../requests/proxy-heads.ts';

/** The `Authorization` of requests to engines. */
export function authorizationOf(options: RouterOptions): UpstreamHeadParts['authorization'] {
  const { apiKey, engineApiKey } = options;
  const forward = options.forwardAuthorization ?? (apiKey ?? engineApiKey) === undefined;
  if (forward) return 'client';
  return engineApiKey === undefined ? undefined : { value: `Bearer ${engineApiKey}` };
}

/** @throws {InputError} If routers would be open to clients, or the key is not valid in a header. */
export function checkPeerKey(key: string | undefined, apiKey: string | undefined): void {
  const variable = 'SPILLWAY_ROUTER_PEERS_KEY';
  if (key === undefined && apiKey !== undefined) {
    throw new InputError(
      `Routers that check an API key need a key for each other: set ${variable} to the same value in all of them.`,
    );
  }
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
    throw new InputError(`${variable} may contain only visible ASCII characters, without spaces.`);
  }
}
