// Sends small requests to our own children and to engines, each with a deadline.
import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { request } from '../node-http/index.ts';
import type { PinnedCertificate } from './pinned-certificate.ts';

/**
 * Maximum size of a body; a longer one is an error. The router's debug page of 100 engines has 100
 * KB.
 */
const bodyBytesMax = 4 << 20;

export interface ProbeAnswer {
  readonly status: number;
  readonly body: string;
}

/** How a probe checks an https server, and proves itself to it. Paths of PEM files. */
export interface ProbeTls {
  /** The server's certificate; undefined checks its authority and name. */
  readonly pinned?: PinnedCertificate | undefined;
  /** @default the authorities that Node trusts */
  readonly ca?: string | undefined;
  /** @default the host of the URL */
  readonly serverName?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface ProbeOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Sent as a bearer token. */
  readonly key?: string | undefined;
  /** Value of `Authorization`, in place of the key. */
  readonly authorization?: string | undefined;
  readonly tls?: ProbeTls | undefined;
  /** Body of a POST. @default none, for a GET */
  readonly json?: string | undefined;
}

/** Sends GET or POST `url` on a new connection. Rejects on any failure, and after `timeoutMs`. */
export async function probe(url: string, options: ProbeOptions): Promise<ProbeAnswer> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  const target = new URL(url);
  const secure =
    target.protocol === 'https:' ? await connectTls(target, options.tls ?? {}, signal) : undefined;
  return new Promise((resolve, reject) => {
    const how = {
      ...{ signal, protocol: 'http:' },
      headers: {
        ...(secure && { host: target.host }),
        ...(options.key ? { authorization: `Bearer ${options.key}` } : {}),
        ...(options.authorization && { authorization: options.authorization }),
        ...(options.json !== undefined && { 'content-type': 'application/json' }),
      },
      ...(options.json !== undefined && { method: 'POST' }),
      // No agent: a keep-alive connection would keep a stopping child open.
      ...(secure ? { createConnection: () => secure } : { agent: false }),
    };
    const plain = secure ? `http:${url.slice(target.protocol.length)}` : url;
    const call = request(plain, how, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > bodyBytesMax) response.destroy(new Error(`body above ${bodyBytesMax} bytes`));
        else chunks.push(chunk);
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
      response.on('error', reject);
    });
    call.on('error', reject);
    call.end(options.json);
  });
}

/** Resolves once the server is known to be the right one: before a key is sent. */
async function connectTls(url: URL, tls: ProbeTls, signal: AbortSignal): Promise<Socket> {
  const { pinned, serverName } = tls;
  const [ca, cert, key] = await Promise.all([tls.ca, tls.cert, tls.key].map(contents));
  // Loaded here, because most stacks have no TLS.
  const [{ connect, checkServerIdentity }, { isIP }] = await Promise.all([
    import('node:tls'),
    import('node:net'),
  ]);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const options: ConnectionOptions = {
    ...{ host, port: Number(url.port || 443), ALPNProtocols: ['http/1.1'] },
    // RFC 6066 §3 allows no address here.
    servername: serverName ?? (isIP(host) ? '' : host),
    checkServerIdentity: (_, certificate) => checkServerIdentity(serverName ?? host, certificate),
    rejectUnauthorized: pinned === undefined,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  };
  const socket = connect(options);
  const onAbort = () => socket.destroy(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
      socket.once('close', () => reject(new Error('the connection was closed')));
    });
    const { fingerprint256 = '' } = socket.getPeerCertificate() ?? {};
    if (pinned && !(await pinned.accepts(fingerprint256))) {
      throw new Error('another certificate is served than the one in its file');
    }
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function contents(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : await readFile(path);
}
