// The certificate of a server that this program has started: compared with its file, because its name and
// authority are meant for other clients.
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';

export class PinnedCertificate {
  readonly #path: string;
  /** Of the certificate that was accepted last: a renewed file is used by its server later. */
  #accepted: string | undefined;

  /** @param path PEM file; its first certificate is the server's own. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Whether a server that presents this certificate is the expected one. */
  async accepts(fingerprint256: string): Promise<boolean> {
    if (fingerprint256 === this.#accepted) return true;
    const own = new X509Certificate(await readFile(this.#path));
    if (own.fingerprint256 !== fingerprint256) return false;
    this.#accepted = fingerprint256;
    return true;
  }
}
