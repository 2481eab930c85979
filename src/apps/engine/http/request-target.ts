// The path and query of a request's target, read as uvicorn reads them: nothing is normalised.

/** Bytes of a target that vLLM's HTTP parser takes (httptools' 16-bit offsets). */
export const targetBytesMax = 65_535;

export interface RequestTarget {
  /** Percent-decoded; `//` and `..` stay as they are. */
  readonly path: string;
  /** With its question mark, or empty. */
  readonly search: string;
}

/** @param target As in the request line: a path, an absolute URL, or `*`. */
export function requestTarget(target: string): RequestTarget {
  const [withoutFragment = ''] = target.split('#', 1);
  const origin = withoutFragment.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '');
  const at = origin.indexOf('?');
  const raw = at === -1 ? origin : origin.slice(0, at);
  return { path: decoded(raw), search: at === -1 ? '' : origin.slice(at) };
}

/** Python's `unquote`: what is no escape stays, bytes that are no UTF-8 become U+FFFD. */
function decoded(path: string): string {
  if (!path.includes('%')) return path;
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}
