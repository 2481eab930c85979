// Stores values in a cache server, looks them up, loads them and compares every byte.
import { syntheticKv } from '../../core/kv/index.ts';
import {
  type CacheAddress,
  type CacheClient,
  type ClientTls,
  openCacheClient,
} from '../../io/cache-client/index.ts';

export interface CacheCheck {
  readonly address: CacheAddress;
  readonly tls?: ClientTls;
  readonly valueBytes: number;
  /** Values of each client. */
  readonly count: number;
  readonly clients: number;
  readonly timeoutMs: number;
  /** Distinguishes the keys of this run from all others. */
  readonly run: string;
  /** Monotonic seconds. */
  readonly now: () => number;
}

export interface CacheCheckResult {
  readonly values: number;
  readonly valueBytes: number;
  readonly clients: number;
  /** Of all clients together. */
  readonly storeSeconds: number;
  readonly lookupSeconds: number;
  readonly loadSeconds: number;
  /** Values that a lookup or a load did not find after they were stored. */
  readonly missing: number;
  /** Values with a wrong byte or size. */
  readonly wrong: number;
  /** Keys that were found although nothing was stored for them. */
  readonly invented: number;
}

/**
 * Runs the check: every client stores all of its values, then looks all up, then loads all, and asks for one that was
 * never stored.
 *
 * @throws {NoResponseError} If the server is gone or late.
 */
export async function checkCache(check: CacheCheck): Promise<CacheCheckResult> {
  const clients = Array.from({ length: check.clients }, (_, client) => ({
    client: openCacheClient(check.address, { timeoutMs: check.timeoutMs, tls: check.tls ?? {} }),
    keys: Array.from({ length: check.count }, (_, i) => keyOf(check.run, client * check.count + i)),
  }));
  const counts = { missing: 0, wrong: 0, invented: 0 };
  const timed = async (step: (client: CacheClient, keys: readonly string[]) => Promise<void>) => {
    const start = check.now();
    await Promise.all(clients.map(({ client, keys }) => step(client, keys)));
    return check.now() - start;
  };
  const value = new Uint8Array(check.valueBytes);
  try {
    const storeSeconds = await timed(async (client, keys) => {
      for (const key of keys) {
        // The bytes are made for each value, and copied into the socket before the next one is.
        syntheticKv(key).fill(value, 0);
        await client.put(key, value.slice());
      }
      // lm:// has no reply to PUT: a lookup behind it says when the last one has arrived.
      await client.exists(keys.at(-1) as string);
    });
    const lookupSeconds = await timed(async (client, keys) => {
      for (const key of keys) if (!(await client.exists(key))) counts.missing++;
    });
    const loadSeconds = await timed(async (client, keys) => {
      for (const key of keys) {
        const found = await load(client, key, check.valueBytes);
        if (found !== 'right') counts[found]++;
      }
    });
    await timed(async (client, keys) => {
      const never = `${keys[0]}@never`;
      if ((await client.exists(never)) || (await client.get(never, () => {})) !== undefined) {
        counts.invented++;
      }
    });
    const { missing, wrong, invented } = counts;
    return {
      ...{ values: check.clients * check.count, valueBytes: check.valueBytes },
      ...{ clients: check.clients, storeSeconds, lookupSeconds, loadSeconds },
      ...{ missing, wrong, invented },
    };
  } finally {
    for (const { client } of clients) client.close();
  }
}

/** In the form of LMCache's keys, so that servers that parse them accept it. */
function keyOf(run: string, index: number): string {
  return `spillway-check@1@0@${run}${index.toString(16).padStart(8, '0')}@uint8`;
}

async function load(
  client: CacheClient,
  key: string,
  valueBytes: number,
): Promise<'right' | 'missing' | 'wrong'> {
  const expected = syntheticKv(key);
  let isRight = true;
  const size = await client.get(key, (bytes, offset) => {
    isRight &&= expected.matches(bytes, offset);
  });
  if (size === undefined) return 'missing';
  return isRight && size === valueBytes ? 'right' : 'wrong';
}
