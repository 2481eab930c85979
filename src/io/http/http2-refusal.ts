// The response to a client that speaks HTTP/2 on a plain connection without asking ("prior knowledge", RFC 9113 §3.3):
// one stream is answered, as HTTP/2, with a sentence that says what this server speaks.

/** How such a client begins. */
export const http2Preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** Maximum size of what comes before the first request: settings and window updates have a few hundred bytes. */
const framesBytesMax = 65_536;

const noBytes = Buffer.alloc(0);
const frameTypes = { data: 0, headers: 1, settings: 4, goAway: 7 } as const;
const flags = { ack: 1, endStream: 1, endHeaders: 4 } as const;
const frameHeaderBytes = 9;

/** Whether a connection begins as HTTP/2, as far as it has arrived: no method begins with the first three letters. */
export function beginsAsHttp2(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, http2Preface.length);
  return length >= 3 && bytes.compare(http2Preface, 0, length, 0, length) === 0;
}

/** What the server sends first; some clients wait for it before their first request. */
export function http2Greeting(): Buffer {
  return frame(frameTypes.settings, 0, 0, noBytes);
}

/**
 * The response, after which the connection ends.
 *
 * @param bytes Everything that has arrived.
 * @param body JSON of the error.
 * @returns Undefined while no request has arrived.
 */
export function http2Refusal(bytes: Buffer, body: string): Buffer | undefined {
  const stream = firstStream(bytes);
  return stream === undefined ? undefined : http2End(stream, body);
}

/**
 * The end of a connection.
 *
 * @param stream The first request, which gets the error; 0 if none has arrived.
 */
export function http2End(stream: number, body: string): Buffer {
  const text = Buffer.from(body);
  const parts = [frame(frameTypes.settings, flags.ack, 0, noBytes)];
  if (stream > 0) {
    parts.push(
      frame(frameTypes.headers, flags.endHeaders, stream, headerBlock(text.length)),
      frame(frameTypes.data, flags.endStream, stream, text),
    );
  }
  // The last stream, no error, and the sentence again for clients that show only this.
  const end = Buffer.alloc(8);
  end.writeUInt32BE(stream, 0);
  parts.push(frame(frameTypes.goAway, 0, 0, Buffer.concat([end, text])));
  return Buffer.concat(parts);
}

/** The stream of the first request; undefined if none has arrived yet, 0 if none comes within the limit. */
function firstStream(bytes: Buffer): number | undefined {
  let at = http2Preface.length;
  while (at + frameHeaderBytes <= bytes.length) {
    const length = bytes.readUIntBE(at, 3);
    const stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
    if (bytes[at + 3] === frameTypes.headers && stream > 0) return stream;
    at += frameHeaderBytes + length;
  }
  return bytes.length > framesBytesMax || at > framesBytesMax ? 0 : undefined;
}

function frame(type: number, flag: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flag;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** Names of HPACK's static table (RFC 7541, appendix A), each with a literal value that is not indexed. */
const headerNames = { status: 8, contentLength: 28, contentType: 31 } as const;

function headerBlock(bodyBytes: number): Buffer {
  return Buffer.concat([
    literal(headerNames.status, '505'),
    literal(headerNames.contentType, 'application/json'),
    literal(headerNames.contentLength, String(bodyBytes)),
  ]);
}

/** RFC 7541 §6.2.2, for values of at most 126 bytes. */
function literal(name: number, value: string): Buffer {
  // The index has four bits, of which all ones lead to the next byte.
  const index = name < 15 ? [name] : [15, name - 15];
  return Buffer.from([...index, value.length, ...Buffer.from(value, 'latin1')]);
}
