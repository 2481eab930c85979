// A registry of images or a mirror of registries, by the API of the OCI distribution specification: which manifests it
// has, and downloads with the digest checked.
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { NoResponseError } from '../../core/base/index.ts';
import type { ImageReference, Mirror } from '../../core/deploy/index.ts';
import { at, listAt, textAt } from '../../core/kubernetes/index.ts';
import { https, request as requestPlain } from '../../io/node-http/index.ts';

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
    const response = await this.#reach('GET', '/v2/', timeoutMs);
    response.destroy();
    const { statusCode = 0, headers } = response;
    const isRegistry = 'docker-distribution-api-version' in headers || statusCode === 200;
    if (isRegistry && (statusCode === 200 || statusCode === 401)) return;
    throw new NoResponseError(
      `${this.#mirror.url} is not a registry of images: GET /v2/ has status ${statusCode}.`,
    );
  }

  /**
   * Looks for an image. An image named by digest must have that digest here.
   *
   * @param timeoutMs Time without a byte. @default 30 s
   * @throws {NoResponseError} If the registry does not respond.
   */
  async find(image: ImageReference, timeoutMs?: number): Promise<Finding> {
    const response = await this.#reach('HEAD', manifestPath(image, image.version), timeoutMs);
    response.destroy();
    const { statusCode: status = 0, headers } = response;
    if (status !== 200) return { digest: '', problem: statusText(status), status };
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
    await this.#get(manifestPath(image, version), version, manifestBytesMax, (chunk) => {
      chunks.push(chunk);
    });
    try {
      return JSON.parse(Buffer.concat(chunks).toString());
    } catch {
      throw new ImageError('its manifest is not JSON');
    }
  }

  #blob(image: ImageReference, digest: string): Promise<number> {
    return this.#get(pathOf(image, `blobs/${digest}`), digest, Infinity, () => {});
  }

  /** @param version A digest, against which the bytes are checked, or a tag. */
  async #get(
    path: string,
    version: string,
    bytesMax: number,
    onChunk: (chunk: Buffer) => void,
  ): Promise<number> {
    const response = await this.#reach('GET', path);
    if (response.statusCode !== 200) {
      response.destroy();
      throw new ImageError(`${version}: ${statusText(response.statusCode ?? 0)}`);
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

  /** Resolves with the head of the response behind all redirects. */
  async #reach(
    method: 'GET' | 'HEAD',
    path: string,
    timeoutMs = idleTimeoutMs,
  ): Promise<IncomingMessage> {
    let url = new URL(path, this.#mirror.url);
    for (let redirects = 0; ; redirects += 1) {
      const response = await this.#send(method, url, timeoutMs).catch((error: unknown) => {
        throw this.#failure(error);
      });
      const { statusCode = 0, headers } = response;
      if (statusCode < 300 || statusCode >= 400 || headers.location === undefined) return response;
      response.destroy();
      const next = URL.parse(headers.location, url.href);
      const isFollowed = next !== null && /^https?:$/.test(next.protocol);
      if (!isFollowed || redirects === redirectsMax) {
        throw new NoResponseError(`${url.origin} redirects to no place that can be followed.`);
      }
      url = next;
    }
  }

  #send(method: 'GET' | 'HEAD', url: URL, timeoutMs: number): Promise<IncomingMessage> {
    const { isInsecure } = this.#mirror;
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const isTls = url.protocol === 'https:';
      const sent = (isTls ? https().request : requestPlain)(url.href, {
        ...{ method, agent: false, headers: { accept: manifestTypes }, timeout: timeoutMs },
        ...(isTls && isInsecure && { rejectUnauthorized: false }),
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

  #failure(error: unknown): unknown {
    if (this.#signal?.aborted) return this.#signal.reason;
    const { message, code } = error as NodeJS.ErrnoException;
    const reason = message || code || 'no response';
    return new NoResponseError(`${this.#mirror.url} cannot be reached: ${reason}.`, {
      cause: error,
    });
  }
}

function manifestPath(image: ImageReference, version: string): string {
  return pathOf(image, `manifests/${version}`);
}

/** containerd names the registry that a mirror stands for in the same way. */
function pathOf({ repository, registry }: ImageReference, rest: string): string {
  return `/v2/${repository}/${rest}?ns=${encodeURIComponent(registry)}`;
}

function platformOf(manifest: unknown): string {
  return `${textAt(manifest, 'platform', 'os')}/${textAt(manifest, 'platform', 'architecture')}`;
}

function isSha256(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

function statusText(status: number): string {
  if (status === 401 || status === 403) return `status ${status}, it wants a login`;
  return status === 404 ? 'it does not have it' : `status ${status}`;
}
