// Orders of the coordinator to LMCache's servers, over their own HTTP API.
import { SpillwayError } from '../../core/base/index.ts';
import type { ChunkKey } from '../../core/lmcache/index.ts';

/** A server could not be reached in time, or has refused an order. */
export class ServerOrderError extends SpillwayError {
  override readonly name = 'ServerOrderError';
  readonly code = 'ERR_LMCACHE_SERVER';
}

/** Where a server is, as it says. */
export interface OrderedServer {
  readonly ip: string;
  readonly http_port: number;
}

const timeoutMs = 10_000;
/** Keys per request: servers refuse more. */
const keysPerRequest = 10_000;
/** Longer replies are refused. */
const replyCharactersMax = 1 << 20;

type Reply = Readonly<Record<string, unknown>>;

/**
 * @param relaysErrors Whether a status of 400 and more is returned like any other.
 * @throws {ServerOrderError} If there is no reply in time, or it is not JSON; otherwise for status 400 and more.
 */
export async function serverRequest(
  { ip, http_port }: OrderedServer,
  method: string,
  path: string,
  body?: unknown,
  relaysErrors = false,
): Promise<{ readonly status: number; readonly body: Reply }> {
  const host = ip.includes(':') ? `[${ip}]` : ip;
  const url = `http://${host}:${http_port}${path}`;
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      ...{ method, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) },
      headers: { 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (error) {
    throw new ServerOrderError(`${url} cannot be reached.`, { cause: error });
  }
  if (!response.ok && !relaysErrors) {
    throw new ServerOrderError(`${url} replied with status ${response.status}.`);
  }
  try {
    if (text.length > replyCharactersMax) throw new Error('it is too long');
    const reply: unknown = JSON.parse(text);
    if (typeof reply !== 'object' || reply === null) throw new Error('it is no object');
    return { status: response.status, body: reply as Reply };
  } catch (error) {
    throw new ServerOrderError(`${url} replied with something else than JSON.`, { cause: error });
  }
}

/** Deletes chunks on a server. @returns What it deleted, and what it kept because it is in use. @throws {ServerOrderError} */
export async function deleteObjects(
  server: OrderedServer,
  keys: readonly ChunkKey[],
  options: { readonly tier: 'l1' | 'l2' | 'all'; readonly force: boolean },
): Promise<{ readonly deleted: number; readonly skipped: number }> {
  let [deleted, skipped] = [0, 0];
  for (let from = 0; from < keys.length; from += keysPerRequest) {
    const part = keys.slice(from, from + keysPerRequest);
    const { body } = await serverRequest(server, 'DELETE', '/cache/objects', {
      ...{ keys: part, ...options },
    });
    deleted += Number(body.deleted ?? 0) || 0;
    skipped += Number(body.skipped ?? 0) || 0;
  }
  return { deleted, skipped };
}
