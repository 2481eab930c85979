// Splits a request target into path and query as uvicorn does: without normalisation.

/** Maximum size of a target that vLLM's HTTP parser accepts (httptools' 16-bit offsets). */
export const targetBytesMax = 65_535;

export interface RequestTarget {
  /** Percent-decoded; `//` and `..` stay unchanged. */
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

/** Python's `unquote`: invalid escapes stay, invalid UTF-8 becomes U+FFFD. */
function decoded(path: string): string {
  if (!path.includes('%')) return path;
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}
