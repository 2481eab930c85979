// A registry of images with a script: what it has, and what it does wrong.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';

export interface RegistryScript {
  /** Status of all requests but /v2/. */
  readonly status?: number;
  /** Status of /v2/. @default 200 */
  readonly greeting?: number;
  /** Whether layers are elsewhere, as in registries on object stores. */
  readonly redirects?: boolean;
  /** Changes what is sent for a path. */
  readonly change?: (path: string, body: Buffer) => Buffer;
  /** Ends the connection in the middle of a layer. */
  readonly cutsLayers?: boolean;
}

export interface ScriptedRegistry {
  readonly url: string;
  /** Digest of the index under the tag. */
  readonly digest: string;
  /** `METHOD path?query` of each request. */
  readonly requests: string[];
}

export const layer = Buffer.alloc(300_000, 'layer');
const configuration = Buffer.from('{"architecture":"amd64"}');

/** Has `team/app:1` for linux/amd64, as an index of one manifest with one layer. */
export async function scriptedRegistry(
  t: TestContext,
  script: RegistryScript = {},
): Promise<ScriptedRegistry> {
  const manifest = jsonOf({
    config: { digest: digestOf(configuration) },
    layers: [{ digest: digestOf(layer) }],
  });
  const index = jsonOf({
    manifests: [
      { digest: digestOf(Buffer.from('arm')), platform: { os: 'linux', architecture: 'arm64' } },
      { digest: digestOf(manifest), platform: { os: 'linux', architecture: 'amd64' } },
    ],
  });
  const bodies = new Map([
    ['/v2/team/app/manifests/1', index],
    [`/v2/team/app/manifests/${digestOf(index)}`, index],
    [`/v2/team/app/manifests/${digestOf(manifest)}`, manifest],
    [`/v2/team/app/blobs/${digestOf(configuration)}`, configuration],
    [`/v2/team/app/blobs/${digestOf(layer)}`, layer],
    ['/elsewhere', layer],
  ]);
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const path = request.url?.split('?')[0] ?? '';
    if (path === '/v2/') {
      response.writeHead(script.greeting ?? 200).end('{}');
      return;
    }
    const body = bodies.get(path);
    const isLayer = body === layer;
    if (script.status !== undefined || body === undefined) {
      response.writeHead(script.status ?? 404).end();
    } else if (isLayer && script.redirects && path !== '/elsewhere') {
      response.writeHead(307, { location: '/elsewhere' }).end();
    } else {
      const sent = script.change?.(path, body) ?? body;
      response.writeHead(200, {
        'content-length': sent.length,
        'docker-content-digest': digestOf(sent),
      });
      if (request.method === 'HEAD') response.end();
      else if (isLayer && script.cutsLayers) {
        response.write(sent.subarray(0, 1000), () => response.destroy());
      } else response.end(sent);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, digest: digestOf(index), requests };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function jsonOf(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
