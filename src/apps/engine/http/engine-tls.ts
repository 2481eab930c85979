// The TLS of an engine: vLLM's `--ssl-*` flags as options of Node's server.
import type { Server, ServerOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { TlsFiles, TlsMaterial } from '../../../io/tls/index.ts';

/** vLLM's `--ssl-*` flags. */
export interface EngineTlsOptions {
  /** `ca` has the authorities of clients' certificates. */
  readonly files: TlsFiles;
  /** Python's CERT_NONE, CERT_OPTIONAL and CERT_REQUIRED. */
  readonly clientCertificates: 'ignored' | 'optional' | 'required';
  /** Whether changes of the files take effect. */
  readonly isFollowed: boolean;
  /** Interval between readings. @default 5000 */
  readonly pollMs?: number | undefined;
}

export interface EngineTls {
  readonly serverOptions: ServerOptions;
  /** Checks clients of the server, and follows the files. */
  attach(server: Server): void;
  stop(): void;
}

/**
 * Reads the files. The code is loaded here, because most engines serve plain HTTP.
 *
 * @param log Receives one line per change of the files.
 * @throws {InputError} If a file cannot be used.
 */
export async function openEngineTls(
  options: EngineTlsOptions,
  log: (line: string) => void,
): Promise<EngineTls> {
  const { files, clientCertificates, isFollowed, pollMs } = options;
  const { TlsIdentity } = await import('../../../io/tls/index.ts');
  const identity = await TlsIdentity.open({
    ...{ files, name: '--ssl-certfile', pollMs },
    log: { info: log, warning: log },
  });
  return {
    serverOptions: {
      ...contextOptions(identity.material),
      requestCert: clientCertificates !== 'ignored',
      rejectUnauthorized: clientCertificates === 'required',
      ALPNProtocols: ['http/1.1'],
    },
    attach(server) {
      if (clientCertificates === 'optional') server.on('secureConnection', refuseUntrusted);
      if (isFollowed) identity.follow((tls) => server.setSecureContext(contextOptions(tls)));
    },
    stop: () => identity.stop(),
  };
}

/** Without authorities, no client's certificate is trusted, as in Python. */
function contextOptions({ cert, key, ca }: TlsMaterial) {
  return { cert: cert as string, key: key as string, ca: ca ?? [], minVersion: 'TLSv1.2' as const };
}

/** CERT_OPTIONAL: a certificate that is sent must be valid. */
function refuseUntrusted(socket: TLSSocket): void {
  const isSent = Object.keys(socket.getPeerCertificate()).length > 0;
  if (isSent && !socket.authorized) socket.destroy();
}
