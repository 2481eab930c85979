// The router's certificates: for its listener, and for its connections to engines and peer routers.
import { InputError } from '../../../core/base/index.ts';
import type { ServerTls, UpstreamTls } from '../../../io/http/index.ts';
import { TlsIdentity, type TlsMaterial } from '../../../io/tls/index.ts';
import type { RouterOptions } from '../options.ts';

export interface RouterTls {
  /** Undefined if the router serves plain HTTP. */
  readonly listener: TlsIdentity | undefined;
  /** Asked for each new connection; undefined for Node's defaults. */
  readonly upstream: (() => UpstreamTls) | undefined;
  /** Follows changes of the files. */
  follow(renew: (tls: ServerTls) => void): void;
  stop(): void;
}

/** @throws {InputError} If a file is missing, unreadable, or does not fit the others. */
export async function openRouterTls(options: RouterOptions): Promise<RouterTls> {
  const { tls, engineTls, tlsPollMs: pollMs, log } = options;
  if (tls) checkPair(tls, '--tls-cert', '--tls-key', true);
  if (engineTls) checkPair(engineTls, '--engine-tls-cert', '--engine-tls-key', false);
  const listener = tls && (await TlsIdentity.open({ files: tls, name: '--tls-cert', log, pollMs }));
  const engines =
    engineTls && (await TlsIdentity.open({ files: engineTls, name: '--engine-tls', log, pollMs }));
  return {
    listener,
    upstream: engines && (() => ({ context: engines.context, serverName: engineTls?.serverName })),
    follow(renew) {
      listener?.follow((material) => renew(serverTls(material)));
      engines?.follow();
    },
    stop() {
      listener?.stop();
      engines?.stop();
    },
  };
}

/** @param material Of a listener, which has certificate and key. */
export function serverTls({ cert, key, ca }: TlsMaterial): ServerTls {
  return { cert: cert as string, key: key as string, clientCa: ca };
}

function checkPair(
  { cert, key }: { readonly cert?: string | undefined; readonly key?: string | undefined },
  certFlag: string,
  keyFlag: string,
  isNeeded: boolean,
): void {
  if ((cert === undefined) === (key === undefined) && !(isNeeded && cert === undefined)) return;
  throw new InputError(`${certFlag} and ${keyFlag} belong together: give both.`);
}
