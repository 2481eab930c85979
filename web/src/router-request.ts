// Requests to the router, with the API key that the user has entered.

const storageKey = 'spillway-api-key';

/** The router wants an API key, or another one. */
export class KeyWantedError extends Error {
  override readonly name = 'KeyWantedError';
}

/** The key, for browsers that store nothing. */
let keyOfPage = '';

/** Keeps the key until the tab is closed. It is sent as a header only, never in a URL. */
export function storeKey(key: string): void {
  keyOfPage = key;
  try {
    sessionStorage.setItem(storageKey, key);
  } catch {
    // The page keeps it.
  }
}

/** The key that was entered in this tab; empty if there is none. */
export function storedKey(): string {
  try {
    return sessionStorage.getItem(storageKey) ?? keyOfPage;
  } catch {
    return keyOfPage;
  }
}

/**
 * Requests a path of the router.
 *
 * @throws {KeyWantedError} If the router refuses the key, or wants one.
 */
export async function routerFetch(path: string, signal: AbortSignal): Promise<Response> {
  const key = storedKey();
  const headers: HeadersInit = key === '' ? {} : { authorization: `Bearer ${key}` };
  const response = await fetch(path, { signal, headers, cache: 'no-store' });
  if (response.status !== 401) return response;
  await response.body?.cancel();
  throw new KeyWantedError(`${path} returned 401`);
}
