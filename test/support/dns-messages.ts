// The messages of a name server (RFC 1035): the question of a query, and the response to it.

export type DnsRecord =
  | { readonly type: 'A'; readonly ttl: number; readonly address: string }
  | { readonly type: 'SRV'; readonly ttl: number; readonly target: string; readonly port: number };

export interface DnsQuestion {
  /** In lower case, without the dot at the end. */
  readonly name: string;
  readonly type: number;
  /** Where the question ends in the query. */
  readonly end: number;
}

const typeNumbers = { A: 1, SRV: 33 } as const;
const [noError, serverFailure, noSuchName] = [0, 2, 3];

export function questionOf(query: Buffer): DnsQuestion {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] as number; length > 0; length = query[at] as number) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/**
 * @param known All records of the name; `undefined` if there is no such name.
 * @param isCut Whether the response is truncated, so that the client asks again over TCP.
 */
export function dnsResponse(
  query: Buffer,
  known: readonly DnsRecord[] | 'servfail' | undefined,
  isCut = false,
): Buffer {
  const { type, end } = questionOf(query);
  const code = known === 'servfail' ? serverFailure : known === undefined ? noSuchName : noError;
  const all = known === 'servfail' ? [] : (known ?? []);
  const answers = isCut
    ? []
    : all.filter((record) => typeNumbers[record.type] === type).map(recordBytes);
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  // Flags: a response, recursion desired and available, truncated, the code.
  head.writeUInt16BE(0x8180 | (isCut ? 0x0200 : 0) | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(answers.length, 6);
  return Buffer.concat([head, query.subarray(12, end), ...answers]);
}

function recordBytes(record: DnsRecord): Buffer {
  const data =
    record.type === 'A'
      ? Buffer.from(record.address.split('.').map(Number))
      : Buffer.concat([
          Buffer.from([0, 0, 0, 0, record.port >> 8, record.port & 255]),
          nameBytes(record.target),
        ]);
  const head = Buffer.alloc(12);
  // A pointer to the name of the question, at byte 12 of the message.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(typeNumbers[record.type], 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(record.ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function nameBytes(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
