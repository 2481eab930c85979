// Header names that Spillway treats specially, and a hash table that finds them without allocating.

/** How a proxy treats a header when it forwards a message. */
export const headerKinds = {
  /** Forwarded unchanged. */
  endToEnd: 0,
  /** Describes one connection only (RFC 9110 §7.6.1): never forwarded. */
  hopByHop: 1,
  host: 2,
  contentLength: 3,
  transferEncoding: 4,
  connection: 5,
  expect: 6,
  authorization: 7,
  requestId: 8,
  server: 9,
  /** Headers that only Spillway may set; those from a client or engine are dropped. */
  spillway: 10,
  /** Anthropic's clients send their key in it; treated as `authorization`. */
  apiKey: 11,
  /** Cookies for the router's address; no engine needs them. */
  cookie: 12,
  /** The encodings that a client accepts; a proxy that writes into responses asks for none. */
  acceptEncoding: 13,
  /** How a body is compressed. Forwarded with responses only: request bodies are decoded. */
  contentEncoding: 14,
} as const;

export type HeaderKind = (typeof headerKinds)[keyof typeof headerKinds];

interface KnownHeader {
  /** Lower case. */
  readonly name: string;
  readonly kind: HeaderKind;
}

const knownHeaders: readonly KnownHeader[] = [
  { name: 'host', kind: headerKinds.host },
  { name: 'content-length', kind: headerKinds.contentLength },
  { name: 'transfer-encoding', kind: headerKinds.transferEncoding },
  { name: 'connection', kind: headerKinds.connection },
  { name: 'expect', kind: headerKinds.expect },
  { name: 'authorization', kind: headerKinds.authorization },
  { name: 'x-request-id', kind: headerKinds.requestId },
  { name: 'server', kind: headerKinds.server },
  { name: 'x-api-key', kind: headerKinds.apiKey },
  { name: 'cookie', kind: headerKinds.cookie },
  { name: 'accept-encoding', kind: headerKinds.acceptEncoding },
  { name: 'content-encoding', kind: headerKinds.contentEncoding },
  { name: 'x-spillway-engine', kind: headerKinds.spillway },
  { name: 'x-spillway-engine-name', kind: headerKinds.spillway },
  { name: 'x-spillway-pick', kind: headerKinds.spillway },
  // What a browser keeps for the router's address, for all of its engines and beyond them.
  ...['set-cookie', 'strict-transport-security', 'clear-site-data', 'alt-svc', 'nel'].map(
    (name) => ({ name, kind: headerKinds.spillway }),
  ),
  // An engine names itself by an address that clients cannot reach, and need not know.
  ...['location', 'content-location'].map((name) => ({ name, kind: headerKinds.spillway })),
  // Which pages may read a response is the router's decision.
  ...['origin', 'credentials', 'methods', 'headers', 'private-network'].map((what) => ({
    ...{ name: `access-control-allow-${what}`, kind: headerKinds.spillway },
  })),
  ...[
    'keep-alive',
    'proxy-authenticate',
    'proxy-authorization',
    'proxy-connection',
    'te',
    'trailer',
    'upgrade',
    'http2-settings',
  ].map((name) => ({ name, kind: headerKinds.hopByHop })),
  // Listed only so that common names are not sliced and lower-cased again for each request.
  ...[
    'accept',
    'accept-language',
    'cache-control',
    'content-type',
    'date',
    'origin',
    'user-agent',
    'x-accel-buffering',
    'x-session-id',
    'x-stainless-arch',
    'x-stainless-lang',
    'x-stainless-os',
    'x-stainless-package-version',
    'x-stainless-retry-count',
    'x-stainless-runtime',
    'x-stainless-runtime-version',
    'x-stainless-timeout',
    'x-user-id',
  ].map((name) => ({ name, kind: headerKinds.endToEnd })),
];

const byHash: ReadonlyMap<number, KnownHeader> = new Map(
  knownHeaders.map((known) => [hashOf(known.name), known]),
);

/**
 * Computes one step of the hash that `findKnownHeader` expects; call it with each byte of the name.
 */
export function hashHeaderByte(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + (byte | 0x20)) | 0;
}

/**
 * Returns the known header whose name these bytes spell in any case; undefined if there is none.
 */
export function findKnownHeader(
  bytes: Uint8Array,
  start: number,
  end: number,
  hash: number,
): KnownHeader | undefined {
  const known = byHash.get(hash);
  if (known === undefined || known.name.length !== end - start) return undefined;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (lower !== known.name.charCodeAt(i - start)) return undefined;
  }
  return known;
}

function hashOf(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = hashHeaderByte(hash, name.charCodeAt(i));
  return hash;
}
