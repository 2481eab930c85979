// Access from within a pod: the token and the certificate authority that the kubelet mounts and renews. Two files are read
// here without the client library, which takes 88 MB of memory.
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { join } from 'node:path';
import type { ClusterAccess } from './cluster-access.ts';

export interface ServiceAccountOptions {
  /** @default '/var/run/secrets/kubernetes.io/serviceaccount' */
  readonly folder?: string | undefined;
  /** Has `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`. @default process.env */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly nowMs?: (() => number) | undefined;
}

const folderDefault = '/var/run/secrets/kubernetes.io/serviceaccount';
/** As long as client-go reads a token. The kubelet renews it when 80 % of its hour are over. */
const freshMs = 60_000;
/** The age of a token is not that of the wall clock, which may jump. */
const monotonicMs = () => performance.now();
/** Sockets to one API server: a watch per list, and pages of lists. */
const socketsMax = 64;

/** @returns Undefined if this program does not run in a pod with a service account. */
export async function serviceAccountAccess(
  options: ServiceAccountOptions,
): Promise<ClusterAccess | undefined> {
  const { folder = folderDefault, environment = process.env, nowMs = monotonicMs } = options;
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  if (!host || !port) return undefined;
  const files = { token: join(folder, 'token'), authority: join(folder, 'ca.crt') };
  const token = await readFile(files.token, 'utf8').catch(() => undefined);
  if (token === undefined) return undefined;
  return new ServiceAccount(host, port, files, nowMs);
}

class ServiceAccount implements ClusterAccess {
  readonly server: string;
  readonly #files: { readonly token: string; readonly authority: string };
  readonly #nowMs: () => number;
  #token = '';
  #authority = '';
  #agent: Agent | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    host: string,
    port: string,
    files: { readonly token: string; readonly authority: string },
    nowMs: () => number,
  ) {
    this.server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
    this.#files = files;
    this.#nowMs = nowMs;
  }

  async requestOptions() {
    if (this.#nowMs() - this.#readAtMs >= freshMs) await this.#read();
    return {
      ...(this.#agent && { agent: this.#agent }),
      headers: { authorization: `Bearer ${this.#token}` },
    };
  }

  refused(): void {
    this.#readAtMs = Number.NEGATIVE_INFINITY;
  }

  close(): void {
    this.#agent?.destroy();
  }

  async #read(): Promise<void> {
    const [token, authority] = await Promise.all([
      readFile(this.#files.token, 'utf8'),
      readFile(this.#files.authority, 'utf8'),
    ]);
    this.#readAtMs = this.#nowMs();
    this.#token = token.trim();
    if (authority === this.#authority) return;
    this.#authority = authority;
    // Watches on the old agent's sockets go on until they end.
    this.#agent = new Agent({ ca: authority, keepAlive: true, maxSockets: socketsMax });
  }
}
