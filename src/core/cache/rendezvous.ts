// Which servers keep a key: rendezvous hashing. Each server has a score for each key, and the highest scores win, so that
// a server that joins or leaves moves only its own share of the keys.

/**
 * The servers that keep a key, the first one first.
 *
 * @param members Names of all servers, in any order.
 * @param copies At most this many.
 * @example ownersOf('a key', ['a:6379', 'b:6379', 'c:6379'], 2); // two of them, the same ones on every server
 */
export function ownersOf(
  key: string,
  members: readonly string[],
  copies: number,
): readonly string[] {
  const keyHash = hashOf(key, 0x811c9dc5);
  const scored = members.map((name) => ({ name, score: mix(hashOf(name, keyHash)) }));
  // Names break ties, so that all servers agree.
  scored.sort((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1));
  return scored.slice(0, copies).map(({ name }) => name);
}

/** FNV-1a. */
function hashOf(text: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

/** The finalizer of MurmurHash3: FNV alone ranks names that differ in one digit alike for all keys. */
function mix(hash: number): number {
  let x = hash;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
