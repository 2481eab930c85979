// Loads the files of the built web page into memory: the router serves them at `/` and `/assets/*`.
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';

/** One file of the web page. */
export interface WebpageFile {
  readonly body: Buffer;
  /** Value of the content-type header. */
  readonly contentType: string;
  /** Value of the cache-control header: names below assets/ contain a hash of the content. */
  readonly cacheControl: string;
}

/** Value of the content-security-policy header for the page: it needs only its own origin. */
export const webpageSecurityPolicy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'";

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * Reads the built web page: URL path to file, with `/` for index.html. A few files, below 500 KB.
 *
 * @param directory Output directory of `scripts/build-web.ts`.
 */
export async function loadWebpage(directory: string): Promise<ReadonlyMap<string, WebpageFile>> {
  const files = new Map<string, WebpageFile>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const contentType = contentTypes[extname(entry.name)];
    if (!entry.isFile() || contentType === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    const url = path.slice(directory.length).replaceAll('\\', '/');
    files.set(url === '/index.html' ? '/' : url, {
      body: await readFile(path),
      contentType,
      cacheControl: url.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
  }
  return files;
}
