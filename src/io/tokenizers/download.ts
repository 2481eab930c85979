// Downloads one file to disk, with a bound on its size.
import { open, rm } from 'node:fs/promises';
import { InputError } from '../../core/base/index.ts';

export interface DownloadOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly bytesMax: number;
  /** Ends the download; its deadline. */
  readonly signal: AbortSignal;
}

/**
 * Writes the body of a response to a new file. `fetch` does not send `Authorization` to another host that a
 * redirect names.
 *
 * @throws {InputError} If there is no response with status 200, or it is larger than `bytesMax`; no file is left.
 */
export async function downloadFile(
  url: string,
  path: string,
  options: DownloadOptions,
): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of bodyOf(url, options)) await file.writeFile(chunk);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/** @throws {InputError} As for `downloadFile`, or if it is not JSON. */
export async function downloadJson(url: string, options: DownloadOptions): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bodyOf(url, options)) chunks.push(chunk);
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new InputError(`GET ${url} returned no JSON`);
  }
}

async function* bodyOf(
  url: string,
  { headers = {}, bytesMax, signal }: DownloadOptions,
): AsyncGenerator<Uint8Array> {
  try {
    const response = await fetch(url, { headers, signal });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new InputError(`GET ${url} returned ${response.status}${cure(response.status)}`);
    }
    // A redirect must not leave TLS.
    if (url.startsWith('https:') && !response.url.startsWith('https:')) {
      await response.body?.cancel();
      throw new InputError(`GET ${url} was redirected to ${response.url}`);
    }
    let bytes = 0;
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        throw new InputError(`GET ${url} returned more than ${bytesMax} bytes`);
      }
      yield chunk;
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    const { cause = error } = error as { cause?: unknown };
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`GET ${url}: ${reason}`, { cause: error });
  }
}

function cure(status: number): string {
  return status === 401 || status === 403 ? ': is it a gated model? Set HF_TOKEN' : '';
}
