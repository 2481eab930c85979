// The clients that speak Redis' protocol, for CLIENT LIST.

/** One of them, as Redis describes it. */
export interface RespClient {
  /** Number of the connection. */
  readonly id: number;
  /** Address and port of its other end; empty if they are not known, as over a Unix socket. */
  readonly address: string;
  readonly name: string;
  /** Name of the user as which it is authenticated. */
  readonly user: string;
  readonly version: number;
  /** Of the client, as it says. */
  readonly library: string;
  readonly libraryVersion: string;
  /** Name of the last command, in small letters. */
  readonly lastCommand: string;
  /** Unix times in seconds: of the connection, and of the last command. */
  readonly since: number;
  readonly usedAt: number;
}

/** As many as there are connections, whose number is bounded. */
export type RespClients = Set<RespClient>;

/** The line of a client in CLIENT LIST, as of Redis 7. */
export function clientLine(client: RespClient, nowSeconds: number): string {
  const seconds = (from: number) => Math.max(0, Math.floor(nowSeconds - from));
  const { id, address, name, user, version, library, libraryVersion, lastCommand } = client;
  return (
    `id=${id} addr=${address} laddr= fd=0 name=${name} age=${seconds(client.since)} ` +
    `idle=${seconds(client.usedAt)} flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0 ` +
    `qbuf-free=0 argv-mem=0 multi-mem=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=${lastCommand} ` +
    `user=${user} redir=-1 resp=${version} lib-name=${library} lib-ver=${libraryVersion}\n`
  );
}
