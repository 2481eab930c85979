// Checks that a router forwards responses byte for byte.
import { request } from 'node:http';
import { bodiesOf, type Load } from './loads.ts';

/** @throws {Error} If a response through the proxy differs from the engine's own. */
export async function verify(proxy: string, engine: string, loads: readonly Load[]): Promise<void> {
  for (const load of loads) {
    const [body = ''] = bodiesOf({ ...load, prompts: 1 });
    const [direct, proxied] = await Promise.all([post(engine, body), post(proxy, body)]);
    if (!direct.equals(proxied)) {
      throw new Error(
        `${load.name}: ${proxied.length} bytes differ from the engine's ${direct.length}`,
      );
    }
  }
}

function post(origin: string, body: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const call = request(
      `${origin}/v1/chat/completions`,
      {
        method: 'POST',
        agent: false,
        timeout: 5_000,
        headers: { 'content-type': 'application/json' },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (bytes: Buffer) => chunks.push(bytes));
        response.on('end', () => resolve(Buffer.concat(chunks)));
        response.on('error', reject);
      },
    );
    call.on('error', reject);
    call.on('timeout', () => call.destroy(new Error(`${origin} did not respond within 5 s`)));
    call.end(body);
  });
}
