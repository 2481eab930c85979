// Reads a certificate, its key and certificate authorities from PEM files, and follows their changes.
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { InputError } from '../../core/base/index.ts';
import { readBounded } from '../bounded-files/index.ts';
import { fileProblem } from '../files/index.ts';
import type { Logger } from '../log/index.ts';

/** Paths of PEM files; each is optional for a client. */
export interface TlsFiles {
  /** The certificate, followed by intermediate ones. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Certificate authorities that the other side's certificate is checked against. */
  readonly ca?: string | undefined;
}

/** The contents of `TlsFiles`. */
export interface TlsMaterial {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
}

export interface TlsIdentityOptions {
  readonly files: TlsFiles;
  /** What it is for, in messages: `--tls-cert`. */
  readonly name: string;
  readonly log: Pick<Logger, 'info' | 'warning'>;
  /** Interval between readings. @default 5000 */
  readonly pollMs?: number | undefined;
}

/** Maximum size of a file: a bundle of all public authorities has a quarter of that. */
const fileBytesMax = 1_048_576;
/** TLS 1.0 and 1.1 are deprecated (RFC 8996). */
const minVersion = 'TLSv1.2';

/**
 * Files are read again periodically, by content, so that a symbolic link that is switched over (as Kubernetes does for
 * secrets) is a change too. New contents take effect once they were read twice in a row and fit together;
 * until then, and if they are invalid, the last ones stay in force and the reason is logged once.
 */
export class TlsIdentity {
  readonly #options: TlsIdentityOptions;
  #material: TlsMaterial;
  #context: SecureContext;
  #lastRead: TlsMaterial;
  #problem: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** @throws {InputError} If a file cannot be read, is no PEM, or the key does not belong to the certificate. */
  static async open(options: TlsIdentityOptions): Promise<TlsIdentity> {
    const material = await readAll(options.files);
    return new TlsIdentity(options, material, contextOf(material, options.files));
  }

  private constructor(options: TlsIdentityOptions, material: TlsMaterial, context: SecureContext) {
    this.#options = options;
    this.#material = material;
    this.#context = context;
    this.#lastRead = material;
    this.#warnIfExpired();
  }

  /** The contents in force. */
  get material(): TlsMaterial {
    return this.#material;
  }

  /** For new connections. */
  get context(): SecureContext {
    return this.#context;
  }

  /** Follows the files from now on. @param onChange Called when new contents take effect. */
  follow(onChange: (material: TlsMaterial) => void = () => {}): void {
    const { pollMs = 5_000 } = this.#options;
    const look = async () => {
      await this.#look(onChange);
      if (!this.#isStopped) this.#timer = setTimeout(look, pollMs).unref();
    };
    this.#timer = setTimeout(look, pollMs).unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #look(onChange: (material: TlsMaterial) => void): Promise<void> {
    const { files, name, log } = this.#options;
    try {
      const material = await readAll(files, false);
      const isSettled = isEqual(material, this.#lastRead);
      this.#lastRead = material;
      if (!isSettled) return;
      if (isEqual(material, this.#material)) {
        this.#problem = undefined;
        return;
      }
      const context = contextOf(material, files);
      if (this.#isStopped) return;
      this.#material = material;
      this.#context = context;
      this.#problem = undefined;
      onChange(material);
      log.info(`${name}: the new certificate is in use${validity(material)}`);
      this.#warnIfExpired();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message === this.#problem) return;
      this.#problem = message;
      log.warning(`${name}: ${message} The last certificate stays in use.`);
    }
  }

  #warnIfExpired(): void {
    const { cert } = this.#material;
    if (cert === undefined) return;
    const { validTo } = new X509Certificate(cert);
    if (Date.parse(validTo) > Date.now()) return;
    this.#options.log.warning(`${this.#options.name}: the certificate expired on ${validTo}.`);
  }
}

async function readAll(files: TlsFiles, waits = true): Promise<TlsMaterial> {
  // One after the other: of several that are wrong, the first is always the one that is named.
  const cert = await read(files.cert, waits);
  const key = await read(files.key, waits);
  return { cert, key, ca: await read(files.ca, waits) };
}

/** @throws {InputError} */
async function read(path: string | undefined, waits: boolean): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    const bytes = await readBounded(path, fileBytesMax, waits);
    if (bytes === undefined) {
      throw new InputError(`${path} is larger than ${fileBytesMax} bytes.`);
    }
    return bytes.toString();
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(`The TLS file ${path} cannot be read: ${fileProblem(cause)}.`, { cause });
  }
}

/** @throws {InputError} If the contents do not fit together. The message never contains a key. */
function contextOf(material: TlsMaterial, files: TlsFiles): SecureContext {
  const { cert, key, ca } = material;
  const certificates = [
    [cert, files.cert],
    [ca, files.ca],
  ] as const;
  for (const [text, path] of certificates) {
    if (text === undefined) continue;
    try {
      void new X509Certificate(text);
    } catch (cause) {
      throw new InputError(`${path} contains no PEM certificate.`, { cause });
    }
  }
  try {
    return createSecureContext({
      minVersion,
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(ca === undefined ? {} : { ca }),
    });
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    const reason = /MISMATCH/.test(code)
      ? `the key in ${files.key} does not belong to the certificate in ${files.cert}.`
      : `${files.cert} and ${files.key} cannot be used (${code || (cause as Error).message}).`;
    throw new InputError(reason, { cause });
  }
}

function isEqual(a: TlsMaterial, b: TlsMaterial): boolean {
  return a.cert === b.cert && a.key === b.key && a.ca === b.ca;
}

function validity({ cert }: TlsMaterial): string {
  return cert === undefined ? '' : `, valid until ${new X509Certificate(cert).validTo}`;
}
