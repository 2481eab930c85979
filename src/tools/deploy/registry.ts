// A registry of images or a mirror of registries, by the API of the OCI distribution specification: which manifests it
// has, and downloads with the digest checked.
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { NoResponseError } from '../../core/base/index.ts';
import { apiRoot, greetingUrl, type ImageReference, type Mirror } from '../../core/deploy/index.ts';
import { at, listAt, textAt } from '../../core/kubernetes/index.ts';
import { https, request as requestPlain } from '../../io/node-http/index.ts';
import { authorizationFor } from './registry-token.ts';

/** Time without a byte, also in the middle of a download. */
const idleTimeoutMs = 30_000;
const manifestBytesMax = 4 << 20;
const redirectsMax = 5;

const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** Whether a registry has an image. */
export interface Finding {
  /** Digest of the manifest or index; '' if the registry does not have the image. */
  readonly digest: string;
  /** Why not; '' if it has the image. */
  readonly problem: string;
  /** Of the response. */
  readonly status: number;
}

/** A download that failed: the registry lacks a part, or sent other bytes than the digest says. */
class ImageError extends Error {}

export class Registry {
  readonly #mirror: Mirror;
  readonly #signal: AbortSignal | undefined;
  /** Of the last repository that wanted one. */
  #authorization: string | undefined;

  constructor(mirror: Mirror, signal?: AbortSignal) {
    this.#mirror = mirror;
    this.#signal = signal;
  }

  /**
   * Checks that this is a registry.
   *
   * @param timeoutMs Time without a byte. @default 30 s
   * @throws {NoResponseError} If it does not respond, or is something else.
   */
  async check(timeoutMs?: number): Promise<void> {
    const response = await this.#reach('GET', greetingUrl(this.#mirror), timeoutMs);
    response.destroy();
    const { statusCode = 0, headers } = response;
    const isRegistry = 'docker-distribution-api-version' in headers || statusCode === 200;
    if (isRegistry && (statusCode === 200 || statusCode === 401)) return;
    throw new NoResponseError(
      `${this.#mirror.url} is not a registry of images: GET ${new URL(greetingUrl(this.#mirror)).pathname} has status ${statusCode}.`,
    );
  }

  /**
   * Looks for an image. An image named by digest must have that digest here.
   *
   * @param timeoutMs Time without a byte. @default 30 s
   * @throws {NoResponseError} If the registry does not respond.
   */
  async find(image: ImageReference, timeoutMs?: number): Promise<Finding> {
    const response = await this.#reach('HEAD', this.#manifestUrl(image, image.version), timeoutMs);
    response.destroy();
    const { statusCode: status = 0, headers } = response;
    if (status !== 200) return { digest: '', problem: this.#statusText(status), status };
    const digest = String(headers['docker-content-digest'] ?? '');
    if (image.digest !== undefined && digest !== '' && digest !== image.digest) {
      return { digest: '', problem: `it has ${digest} under this digest`, status };
    }
    return { digest: digest || (image.digest ?? ''), problem: '', status };
  }

  /**
   * Downloads an image and discards it, so that a mirror that fetches images on demand keeps it. Each digest is checked.
   *
   * @param platform Such as `linux/amd64`.
   * @returns Bytes of the image's configuration and layers; a string says why it failed.
   * @throws {NoResponseError} If the registry does not respond.
   */
  async download(image: ImageReference, platform: string): Promise<number | string> {
    try {
      const blobs = await this.#blobs(image, platform);
      let bytes = 0;
      for (const digest of blobs) bytes += await this.#blob(image, digest);
      return bytes;
    } catch (error) {
      if (error instanceof ImageError) return error.message;
      throw error;
    }
  }

  /** Digests of the configuration and the layers. */
  async #blobs(image: ImageReference, platform: string): Promise<ReadonlySet<string>> {
    let manifest = await this.#manifest(image, image.version);
    if (at(manifest, 'manifests') !== undefined) {
      const found = listAt(manifest, 'manifests').find((one) => platformOf(one) === platform);
      if (found === undefined) throw new ImageError(`it has no image for ${platform}`);
      manifest = await this.#manifest(image, textAt(found, 'digest'));
    }
    const parts = [at(manifest, 'config'), ...listAt(manifest, 'layers')];
    const digests = parts.map((part) => textAt(part, 'digest'));
    if (digests.some((digest) => !isSha256(digest))) {
      throw new ImageError('its manifest names parts without a SHA-256 digest');
    }
    return new Set(digests);
  }

  async #manifest(image: ImageReference, version: string): Promise<unknown> {
    const chunks: Buffer[] = [];
    await this.#get(this.#manifestUrl(image, version), version, manifestBytesMax, (chunk) => {
      chunks.push(chunk);
    });
    try {
      return JSON.parse(Buffer.concat(chunks).toString());
    } catch {
      throw new ImageError('its manifest is not JSON');
    }
  }

  #blob(image: ImageReference, digest: string): Promise<number> {
    return this.#get(this.#urlOf(image, `blobs/${digest}`), digest, Infinity, () => {});
  }

  /** @param version A digest, against which the bytes are checked, or a tag. */
  async #get(
    url: string,
    version: string,
    bytesMax: number,
    onChunk: (chunk: Buffer) => void,
  ): Promise<number> {
    const response = await this.#reach('GET', url);
    if (response.statusCode !== 200) {
      response.destroy();
      throw new ImageError(`${version}: ${this.#statusText(response.statusCode ?? 0)}`);
    }
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > bytesMax) throw new ImageError(`${version} has more than ${bytesMax} bytes`);
        hash.update(chunk);
        onChunk(chunk);
      }
    } catch (error) {
      if (error instanceof ImageError) throw error;
      throw this.#failure(error);
    }
    const digest = `sha256:${hash.digest('hex')}`;
    if (isSha256(version) && version !== digest) {
      throw new ImageError(`${version} arrived with the digest ${digest}`);
    }
    return bytes;
  }

  /** Resolves with the head of the response behind all redirects, and behind a login if there is one. */
  async #reach(
    method: 'GET' | 'HEAD',
    first: string,
    timeoutMs = idleTimeoutMs,
  ): Promise<IncomingMessage> {
    let url = new URL(first);
    let hasLoggedIn = false;
    for (let redirects = 0; ; ) {
      const response = await this.#ask(method, url, timeoutMs);
      const { statusCode = 0, headers } = response;
      if (statusCode === 401 && !hasLoggedIn && this.#isOwn(url)) {
        hasLoggedIn = true;
        const authorization = await this.#logIn(headers['www-authenticate'], timeoutMs);
        if (authorization === undefined) return response;
        this.#authorization = authorization;
        response.destroy();
        continue;
      }
      if (statusCode < 300 || statusCode >= 400 || headers.location === undefined) return response;
      response.destroy();
      const next = URL.parse(headers.location, url.href);
      const isFollowed = next !== null && /^https?:$/.test(next.protocol);
      redirects += 1;
      if (!isFollowed || redirects > redirectsMax) {
        throw new NoResponseError(`${url.origin} redirects to no place that can be followed.`);
      }
      url = next;
    }
  }

  async #logIn(challenge: string | undefined, timeoutMs: number): Promise<string | undefined> {
    const { login, url } = this.#mirror;
    return authorizationFor(challenge ?? '', {
      ...{ login, isPlain: url.startsWith('http:') },
      get: (realm, headers) => this.#ask('GET', realm, timeoutMs, headers),
    });
  }

  /** The login is for the mirror alone, not for where it redirects to. */
  #isOwn(url: URL): boolean {
    return url.origin === new URL(this.#mirror.url).origin;
  }

  async #ask(
    method: 'GET' | 'HEAD',
    url: URL,
    timeoutMs: number,
    further: Readonly<Record<string, string>> = {},
  ): Promise<IncomingMessage> {
    const own = this.#isOwn(url) ? this.#authorization : undefined;
    const headers = { accept: manifestTypes, ...(own && { authorization: own }), ...further };
    try {
      return await this.#send(method, url, timeoutMs, headers);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #send(
    method: 'GET' | 'HEAD',
    url: URL,
    timeoutMs: number,
    headers: Readonly<Record<string, string>>,
  ): Promise<IncomingMessage> {
    // A login is sent to another host only if that has proved its name.
    const isUnchecked =
      this.#mirror.isInsecure && (this.#isOwn(url) || !('authorization' in headers));
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const isTls = url.protocol === 'https:';
      const sent = (isTls ? https().request : requestPlain)(url.href, {
        ...{ method, agent: false, headers, timeout: timeoutMs },
        ...(isTls && isUnchecked && { rejectUnauthorized: false }),
        ...(signal && { signal }),
      });
      sent.on('timeout', () => {
        sent.destroy(new Error(`no response within ${timeoutMs / 1000} s`));
      });
      sent.on('error', reject);
      sent.on('response', resolve);
      sent.end();
    });
  }

  #manifestUrl(image: ImageReference, version: string): string {
    return this.#urlOf(image, `manifests/${version}`);
  }

  /** containerd names the registry that a mirror stands for in the same way. */
  #urlOf({ repository, registry }: ImageReference, rest: string): string {
    const root = apiRoot(this.#mirror, registry);
    return `${root}/${repository}/${rest}?ns=${encodeURIComponent(registry)}`;
  }

  #statusText(status: number): string {
    const { login } = this.#mirror;
    if (status === 401 || status === 403) {
      return login === undefined
        ? `status ${status}, it wants a login`
        : `status ${status}, it refuses the login of ${login.user}`;
    }
    return status === 404 ? 'it does not have it' : `status ${status}`;
  }

  #failure(error: unknown): unknown {
    if (this.#signal?.aborted) return this.#signal.reason;
    const { message, code } = error as NodeJS.ErrnoException;
    const reason = message || code || 'no response';
    return new NoResponseError(`${this.#mirror.url} cannot be reached: ${reason}.`, {
      cause: error,
    });
  }
}

function platformOf(manifest: unknown): string {
  return `${textAt(manifest, 'platform', 'os')}/${textAt(manifest, 'platform', 'architecture')}`;
}

function isSha256(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}
