// API keys: from clients, to engines, and between routers.
import { InputError } from '../../../core/base/index.ts';
import { KeyFile, secretCheck } from '../../../io/secrets/index.ts';
import type { RouterOptions } from '../options.ts';
import type { UpstreamHeadParts } from '../requests/proxy-heads.ts';

/** The `Authorization` of requests to engines. */
export function authorizationOf(options: RouterOptions): UpstreamHeadParts['authorization'] {
  const { engineApiKey } = options;
  const isForwarded = !wantsKey(options) && engineApiKey === undefined;
  const forward = options.forwardAuthorization ?? isForwarded;
  if (forward) return 'client';
  return engineApiKey === undefined ? undefined : { value: `Bearer ${engineApiKey}` };
}

/** Whether clients must send a key. */
export function wantsKey({ apiKey, apiKeyFile }: RouterOptions): boolean {
  return (apiKey ?? apiKeyFile) !== undefined;
}

/** Checks the keys of clients; undefined if they need none. */
export type ClientKeys = Pick<KeyFile, 'isRight' | 'follow' | 'stop'> | undefined;

/** @throws {InputError} If the file cannot be used, or there are two sources of keys. */
export async function openClientKeys(options: RouterOptions): Promise<ClientKeys> {
  const { apiKey, apiKeyFile: path, keysPollMs: pollMs, log } = options;
  if (path !== undefined) {
    if (apiKey !== undefined) {
      throw new InputError('--api-key and --api-key-file exclude each other: give one of them.');
    }
    return KeyFile.open({ path, name: '--api-key-file', log, pollMs });
  }
  if (apiKey === undefined) return undefined;
  return { isRight: secretCheck(apiKey), follow() {}, stop() {} };
}

/** @throws {InputError} If routers would be open to clients, or the key is not valid in a header. */
export function checkPeerKey(key: string | undefined, hasClientKeys: boolean): void {
  const variable = 'SPILLWAY_ROUTER_PEERS_KEY';
  if (key === undefined && hasClientKeys) {
    throw new InputError(
      `Routers that check an API key need a key for each other: set ${variable} to the same value in all of them.`,
    );
  }
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) {
    throw new InputError(`${variable} may contain only visible ASCII characters, without spaces.`);
  }
}
