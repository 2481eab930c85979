// A name server on loopback, over UDP and TCP, with scripted responses.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type DnsRecord, dnsResponse, questionOf } from './dns-messages.ts';

export type { DnsRecord } from './dns-messages.ts';

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
    const question = questionOf(query);
    dns.questions.push(`${types[question.type] ?? question.type} ${question.name}`);
    const { zone } = dns;
    if (zone === 'silent') return undefined;
    const known = zone === 'servfail' ? zone : zone.get(question.name);
    return dnsResponse(query, known, isCut);
  };
  return dns;
}
