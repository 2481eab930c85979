// A name server on loopback, over UDP and TCP, with scripted responses.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

export type DnsRecord =
  | { readonly type: 'A'; readonly ttl: number; readonly address: string }
  | { readonly type: 'SRV'; readonly ttl: number; readonly target: string; readonly port: number };

/** `servfail`: the server fails. `silent`: it does not respond. */
export type DnsZone = ReadonlyMap<string, readonly DnsRecord[]> | 'servfail' | 'silent';

export interface ScriptedDns {
  /** For `Resolver.setServers`. */
  readonly server: string;
  /** Its records; other names do not exist. */
  zone: DnsZone;
  /** Whether responses over UDP are truncated, so that the client retries over TCP. */
  truncates: boolean;
  /** Questions so far, as `TYPE name`. */
  readonly questions: string[];
  close(): Promise<void>;
}

const types: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA', 33: 'SRV' };
const typeNumbers = { A: 1, SRV: 33 } as const;
const [noError, serverFailure, noSuchName] = [0, 2, 3];

export async function startScriptedDns(): Promise<ScriptedDns> {
  const tcp = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const response = respond(bytes.subarray(2), false);
      if (response === undefined) return;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(response.length);
      socket.write(Buffer.concat([length, response]));
    });
  }).listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket('udp4');
  udp.on('message', (bytes, from) => {
    const response = respond(bytes, dns.truncates);
    if (response !== undefined) udp.send(response, from.port, from.address);
  });
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  const dns: ScriptedDns = {
    server: `127.0.0.1:${port}`,
    zone: new Map(),
    truncates: false,
    questions: [],
    close: async () => {
      udp.close();
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
  const respond = (query: Buffer, isCut: boolean): Buffer | undefined => {
    const { name, type, end } = questionOf(query);
    dns.questions.push(`${types[type] ?? type} ${name}`);
    const { zone } = dns;
    if (zone === 'silent') return undefined;
    const known = zone === 'servfail' ? undefined : zone.get(name);
    const code = zone === 'servfail' ? serverFailure : known === undefined ? noSuchName : noError;
    const records = (known ?? []).filter((record) => typeNumbers[record.type] === type);
    const answers = isCut ? [] : records.map(recordBytes);
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    // Flags: a response, recursion desired and available, truncated, the code.
    head.writeUInt16BE(0x8180 | (isCut ? 0x0200 : 0) | code, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(answers.length, 6);
    return Buffer.concat([head, query.subarray(12, end), ...answers]);
  };
  return dns;
}

function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] as number; length > 0; length = query[at] as number) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
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
