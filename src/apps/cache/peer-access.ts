// Which connections are those of other cache servers: they read and write the keys of all tenants.
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { SharedKey } from '../../io/secrets/index.ts';

export interface PeerAccess {
  /**
   * @param key As received, in latin1; undefined if the connection gave none.
   * @param certificate That of the connection, checked against the authorities of clients; undefined without one.
   */
  admits(key: string | undefined, certificate: PeerCertificate | undefined): boolean;
}

/** Of a server without others. */
export const noPeers: PeerAccess = { admits: () => false };

/**
 * With a key, the key decides. Without one, the certificate does: it has to be valid for the name of one of the servers, since clients
 * have certificates of the same authorities.
 *
 * @param names Hosts of the servers, or the name that stands for all of them.
 */
export function peerAccess(
  key: Pick<SharedKey, 'isRight'> | undefined,
  names: () => readonly string[],
): PeerAccess {
  return {
    admits(given, certificate) {
      if (key !== undefined) return given !== undefined && key.isRight(given);
      if (certificate === undefined) return false;
      return names().some((name) => checkServerIdentity(name, certificate) === undefined);
    },
  };
}
