// TLS of the cache server: for its clients, and for its connections to other servers.
import type { SecureContext, TLSSocket } from 'node:tls';
import { InputError } from '../../core/base/index.ts';
import { type ServerTls, Ticker, TlsAcceptor } from '../../io/http/index.ts';
import type { Logger } from '../../io/log/index.ts';
import { TlsIdentity } from '../../io/tls/index.ts';

export interface CacheTlsOptions {
  /** PEM files: the server's certificate and key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Authorities of clients' certificates; without any, clients need none. */
  readonly clientCa?: string | undefined;
  /** Authorities of other servers' certificates. @default those that Node trusts */
  readonly ca?: string | undefined;
  readonly log: Pick<Logger, 'info' | 'warning'>;
  /** Interval between readings of the files. @default 5000 */
  readonly pollMs?: number | undefined;
}

/** Interval at which handshakes that take too long are looked for. */
const tickMs = 1_000;

export class CacheTls {
  readonly #server: TlsIdentity;
  readonly #peers: TlsIdentity;
  readonly #ticker = new Ticker({ tickMs });
  readonly #acceptors: TlsAcceptor[] = [];

  /** @throws {InputError} If a file is missing, unreadable, or does not fit the others. */
  static async open(options: CacheTlsOptions): Promise<CacheTls> {
    const { cert, key, clientCa, ca, log, pollMs } = options;
    if (cert === undefined || key === undefined) {
      throw new InputError('--tls-cert and --tls-key belong together: give both.');
    }
    const pair = { cert, key };
    const common = { log, pollMs };
    const server = { files: { ...pair, ca: clientCa }, name: '--tls-cert' };
    const peers = { files: { ...pair, ca }, name: '--tls-ca' };
    return new CacheTls(
      await TlsIdentity.open({ ...server, ...common }),
      // Its certificate is followed by the first one, which says so in the log.
      await TlsIdentity.open({ ...peers, ...common, log: { info() {}, warning: log.warning } }),
    );
  }

  private constructor(server: TlsIdentity, peers: TlsIdentity) {
    this.#server = server;
    this.#peers = peers;
    server.follow(() => {
      for (const acceptor of this.#acceptors) acceptor.renew(this.#material);
    });
    peers.follow();
  }

  /** For a connection to another server, to which this one is a client with its own certificate. */
  get peerContext(): SecureContext {
    return this.#peers.context;
  }

  /** Turns connections into ones with TLS. */
  acceptor(onSecure: (socket: TLSSocket) => void): TlsAcceptor {
    const acceptor = new TlsAcceptor({ tls: this.#material, ticker: this.#ticker, onSecure });
    this.#acceptors.push(acceptor);
    return acceptor;
  }

  /** Ends handshakes that are in progress, and follows the files no longer. */
  stop(): void {
    this.#server.stop();
    this.#peers.stop();
    for (const acceptor of this.#acceptors) acceptor.close();
    this.#ticker.stop();
  }

  get #material(): ServerTls {
    const { cert, key, ca } = this.#server.material;
    return { cert: cert as string, key: key as string, clientCa: ca };
  }
}
