// Heads as a proxy passes them on: our own framing, no hop-by-hop headers, our own request id.
import {
  type HeaderKind,
  type Headers,
  headerKinds,
  type RequestHead,
  type ResponseHead,
} from '../../../io/http/index.ts';

/** The parts of the request head that an engine gets. */
export interface UpstreamHeadParts {
  /** Host header of the engine. */
  readonly host: string;
  /** Path in front of the client's; empty for most engines. */
  readonly basePath: string;
  readonly target: string;
  readonly bodyBytes: number;
  readonly requestId: string;
  /** Of the router's own span, in place of the client's; undefined to pass that on. */
  readonly traceparent?: string | undefined;
  /** Value for `Authorization`; undefined for none, `client` to forward the client's. */
  readonly authorization: { readonly value: string } | 'client' | undefined;
}

/** The router reads streams and writes into them, which it cannot do in compressed ones. */
const plainOnly = 'accept-encoding: identity\r\n';

/** The head of the request as the engine gets it. */
export function upstreamHeadText(head: RequestHead, parts: UpstreamHeadParts): string {
  const { names, values, kinds } = head.headers;
  let text = `${head.method} ${parts.basePath}${parts.target} HTTP/1.1\r\nhost: ${parts.host}\r\n${plainOnly}`;
  const listed = connectionListed(head.headers);
  for (let i = 0; i < names.length; i++) {
    const kind = kinds[i];
    if (kind === headerKinds.authorization || kind === headerKinds.apiKey) {
      if (parts.authorization !== 'client') continue;
    } else if (kind !== headerKinds.endToEnd) continue;
    if (listed?.has(names[i] as string)) continue;
    if (parts.traceparent !== undefined && names[i] === 'traceparent') continue;
    text += `${names[i]}: ${values[i]}\r\n`;
  }
  if (parts.traceparent !== undefined) text += `traceparent: ${parts.traceparent}\r\n`;
  if (typeof parts.authorization === 'object') {
    text += `authorization: ${parts.authorization.value}\r\n`;
  }
  text += `x-request-id: ${parts.requestId}\r\n`;
  if (parts.bodyBytes > 0 || head.method === 'POST') {
    text += `content-length: ${parts.bodyBytes}\r\n`;
  }
  return `${text}\r\n`;
}

/**
 * The head of the response as the client gets it.
 *
 * @param framing Header lines of the body's framing, each with CR LF.
 * @param ours Our own header lines, each with CR LF.
 */
export function downstreamHeadText(head: ResponseHead, framing: string, ours: string): string {
  const { names, values, kinds } = head.headers;
  let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n`;
  const listed = connectionListed(head.headers);
  for (let i = 0; i < names.length; i++) {
    if (!isForwarded(kinds[i])) continue;
    if (listed?.has(names[i] as string)) continue;
    text += `${names[i]}: ${values[i]}\r\n`;
  }
  return `${text + framing + ours}\r\n`;
}

function isForwarded(kind: HeaderKind | undefined): boolean {
  return (
    kind === headerKinds.endToEnd ||
    kind === headerKinds.server ||
    kind === headerKinds.contentEncoding ||
    kind === headerKinds.acceptEncoding
  );
}

/** Header names that `Connection` declares hop-by-hop; undefined in the usual case of none. */
function connectionListed(headers: Headers): ReadonlySet<string> | undefined {
  let listed: Set<string> | undefined;
  for (let i = 0; i < headers.kinds.length; i++) {
    if (headers.kinds[i] !== headerKinds.connection) continue;
    const value = (headers.values[i] as string).toLowerCase();
    if (value === 'keep-alive' || value === 'close') continue;
    listed ??= new Set();
    for (const name of value.split(',')) listed.add(name.trim());
  }
  return listed;
}

/** Whether the response is a stream of server-sent events that can be read and added to: not a compressed one. */
export function isEventStream(head: ResponseHead): boolean {
  return head.contentEncoding === undefined && hasEventType(head);
}

/** Whether the response is a stream of server-sent events, compressed or not. */
export function hasEventType({ headers }: ResponseHead): boolean {
  const type = headers.get('content-type') ?? '';
  // Asked several times per response: most are decided by a letter, or by the usual spelling.
  if ((type.charCodeAt(0) | 0x20) !== letterT) return false;
  return type.startsWith('text/event-stream') || /^text\/event-stream/i.test(type);
}

const letterT = 0x74;
