// The memory of a server, from its metrics.
import { fetchable } from '../../core/base/index.ts';
import { metricSums } from '../../core/protocol/index.ts';

const timeoutMs = 2_000;
/** Longest page that is read. */
const pageBytesMax = 16 << 20;

/**
 * Returns the resident memory of a server in bytes, or of all its processes on the page together.
 *
 * @param url Base URL of its API; the page is /metrics at the root.
 * @returns undefined if it does not report it.
 */
export async function serverMemory(url: URL): Promise<number | undefined> {
  try {
    const page = fetchable(new URL('/metrics', url).href);
    const response = await fetch(page.url, {
      headers: page.headers,
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'error',
    });
    const text = response.ok ? await boundedText(response) : '';
    return metricSums(text).get('process_resident_memory_bytes');
  } catch {
    // A soak does not end because a page is late.
    return undefined;
  }
}

/** Returns the text; empty for a page that is too long, whose rest is not read. */
async function boundedText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.length;
    if (length > pageBytesMax) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
