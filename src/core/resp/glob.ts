// Redis' patterns for keys: `*`, `?`, `[a-z]`, `[^a]`, and `\` before a character that stands for itself.

type Part =
  | { readonly kind: 'any' }
  | { readonly kind: 'one'; readonly matches: (character: string) => boolean };

/**
 * Returns whether a key matches. Takes time in proportion to the lengths of pattern and key: only the last `*` is tried
 * again, unlike in Redis.
 *
 * @example globMatcher('model@*@[0-3]@*')('model@1@2@abc') // true
 */
export function globMatcher(pattern: string): (key: string) => boolean {
  const parts = partsOf(pattern);
  return (key) => {
    let [part, at, star, starAt] = [0, 0, -1, 0];
    while (at < key.length) {
      const wanted = parts[part];
      if (wanted?.kind === 'one' && wanted.matches(key[at] as string)) {
        part++;
        at++;
      } else if (wanted?.kind === 'any') {
        star = part++;
        starAt = at;
      } else if (star >= 0) {
        part = star + 1;
        at = ++starAt;
      } else return false;
    }
    return parts.slice(part).every(({ kind }) => kind === 'any');
  };
}

function partsOf(pattern: string): Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] as string;
    if (character === '*') {
      if (parts.at(-1)?.kind !== 'any') parts.push({ kind: 'any' });
    } else if (character === '?') {
      parts.push({ kind: 'one', matches: () => true });
    } else if (character === '[') {
      const { end, matches } = characterClass(pattern, at + 1);
      parts.push({ kind: 'one', matches });
      at = end;
    } else {
      if (character === '\\' && at + 1 < pattern.length) at++;
      const literal = pattern[at];
      parts.push({ kind: 'one', matches: (given) => given === literal });
    }
  }
  return parts;
}

/** Reads a class; one that is not closed ends with the pattern. @returns The position of its last character. */
function characterClass(pattern: string, start: number) {
  const isNegated = pattern[start] === '^';
  const ranges: (readonly [string, string])[] = [];
  let at = isNegated ? start + 1 : start;
  for (; at < pattern.length && pattern[at] !== ']'; at++) {
    if (pattern[at] === '\\' && at + 1 < pattern.length) at++;
    const [low = '', dash, high] = [pattern[at], pattern[at + 1], pattern[at + 2]];
    if (dash === '-' && high !== undefined) {
      ranges.push(low <= high ? [low, high] : [high, low]);
      at += 2;
    } else ranges.push([low, low]);
  }
  const matches = (given: string) =>
    ranges.some(([low, high]) => low <= given && given <= high) !== isNegated;
  return { end: at, matches };
}
