// Key spaces of tenants inside one store: the keys of a tenant begin with its name, between characters that no other key
// begins with.

const mark = '\0';

/** Names of tenants, which become part of keys and labels of metrics. */
export const tenantNamePattern = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/;

/**
 * The key of a client's key in the store.
 *
 * @param space A tenant's name; empty for the shared key space.
 * @example storeKey('team-a', 'k'); // '\0team-a\0k'
 */
export function storeKey(space: string, key: string): string {
  if (space === '' && !key.startsWith(mark)) return key;
  return `${mark}${space}${mark}${key}`;
}

/** The key space of a key in the store; empty for the shared one. */
export function spaceOf(key: string): string {
  return key.startsWith(mark) ? key.slice(1, key.indexOf(mark, 1)) : '';
}

/** The reverse of `storeKey`: the key as its client knows it. */
export function clientKey(key: string): string {
  return key.startsWith(mark) ? key.slice(key.indexOf(mark, 1) + 1) : key;
}
