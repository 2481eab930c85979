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
  /** Whether layers are on another host, as in registries on object stores. */
  readonly redirects?: boolean;
  /** Changes what is sent for a path. */
  readonly change?: (path: string, body: Buffer) => Buffer;
  /** Root of the API of images. @default /v2 */
  readonly root?: string;
  /** Value of `authorization` without which it responds with 401. */
  readonly login?: string;
  /** Whether the login is for `/token`, which gives out the token that the others want. */
  readonly givesTokens?: boolean;
  /** Ends the connection in the middle of a layer. */
  readonly cutsLayers?: boolean;
}

export interface ScriptedRegistry {
  readonly url: string;
  /** Digest of the index under the tag. */
  readonly digest: string;
  /** `METHOD path?query` of each request. */
  readonly requests: string[];
  /** `path authorization` of each request. */
  readonly authorizations: string[];
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
  const port = () => (server.address() as AddressInfo).port;
  const requests: string[] = [];
  const authorizations: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const [asked = '', query = ''] = request.url?.split('?') ?? [];
    const { authorization } = request.headers;
    authorizations.push(`${asked} ${authorization ?? 'none'}`);
    if (asked === '/token' && script.givesTokens) {
      const isRight = script.login === undefined || authorization === script.login;
      const token = `for-${new URLSearchParams(query).get('scope')}`.replaceAll(/[^\w-]/g, '.');
      response.writeHead(isRight ? 200 : 401).end(isRight ? JSON.stringify({ token }) : '{}');
      return;
    }
    const root = script.root ?? '/v2';
    const path = asked.startsWith(`${root}/team/`) ? asked.replace(root, '/v2') : asked;
    const isTaken = asked.startsWith('/v2/team/') && root !== '/v2';
    const scope = 'repository:team/app:pull';
    const wanted = script.givesTokens
      ? `Bearer for-${scope.replaceAll(/[^\w-]/g, '.')}`
      : script.login;
    if (
      path !== '/v2/' &&
      path !== '/elsewhere' &&
      wanted !== undefined &&
      authorization !== wanted
    ) {
      const realm = `http://${request.headers.host}/token`;
      const challenge = script.givesTokens
        ? `Bearer realm="${realm}",service="r",scope="${scope}"`
        : 'Basic realm="r"';
      response.writeHead(401, { 'www-authenticate': challenge }).end();
      return;
    }
    if (path === '/v2/') {
      response.writeHead(script.greeting ?? 200).end('{}');
      return;
    }
    const body = isTaken ? undefined : bodies.get(path);
    const isLayer = body === layer;
    if (script.status !== undefined || body === undefined) {
      response.writeHead(script.status ?? 404).end();
    } else if (isLayer && script.redirects && path !== '/elsewhere') {
      response.writeHead(307, { location: `http://localhost:${port()}/elsewhere` }).end();
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
  const url = `http://127.0.0.1:${port()}`;
  return { url, digest: digestOf(index), requests, authorizations };
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function jsonOf(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
