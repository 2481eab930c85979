// The client of registries against a scripted registry.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  layer,
  type RegistryScript,
  scriptedRegistry,
} from '../../../test/support/scripted-registry.ts';
import { NoResponseError } from '../../core/base/index.ts';
import { parseImage } from '../../core/deploy/index.ts';
import { gatewayOf, namedMirror } from './find-mirror.ts';
import { Registry } from './registry.ts';

const image = parseImage('ghcr.io/team/app:1');

async function opened(t: TestContext, script: RegistryScript = {}) {
  const scripted = await scriptedRegistry(t, script);
  return { ...scripted, registry: new Registry({ url: scripted.url, isInsecure: false }) };
}

test('an image is found with its digest; the registry that the mirror stands for is named', async (t) => {
  const { registry, digest, requests } = await opened(t);
  await registry.check();
  assert.deepEqual(await registry.find(image), { digest, problem: '', status: 200 });
  assert.equal(requests.at(-1), 'HEAD /v2/team/app/manifests/1?ns=ghcr.io');
  const other = await registry.find(parseImage('ghcr.io/team/other:1'));
  assert.deepEqual(other, { digest: '', problem: 'it does not have it', status: 404 });
});

test('an image by digest must have that digest', async (t) => {
  const { digest } = await opened(t);
  const { registry } = await opened(t, { change: (_, body) => Buffer.concat([body, body]) });
  const { problem } = await registry.find(parseImage(`ghcr.io/team/app@${digest}`));
  assert.match(problem, /^it has sha256:[0-9a-f]{64} under this digest$/);
});

test('a download takes all parts of the platform, also behind redirects', async (t) => {
  const { registry, requests } = await opened(t, { redirects: true });
  assert.equal(await registry.download(image, 'linux/amd64'), layer.length + 24);
  assert.ok(requests.includes('GET /elsewhere'));
  assert.equal(
    await registry.download(image, 'linux/riscv64'),
    'it has no image for linux/riscv64',
  );
});

test('bytes that differ from their digest fail the download', async (t) => {
  const { registry } = await opened(t, {
    change: (path, body) => (path.includes('/blobs/') ? Buffer.concat([body, body]) : body),
  });
  const said = await registry.download(image, 'linux/amd64');
  assert.match(String(said), /^sha256:[0-9a-f]{64} arrived with the digest sha256:/);
});

test('a registry that wants a login, breaks off or is no registry is reported', async (t) => {
  const closed = await opened(t, { status: 401 });
  assert.equal((await closed.registry.find(image)).problem, 'status 401, it wants a login');
  const cut = await opened(t, { cutsLayers: true });
  await assert.rejects(cut.registry.download(image, 'linux/amd64'), NoResponseError);
  const page = await opened(t, { greeting: 404 });
  await assert.rejects(page.registry.check(), /is not a registry of images: .* status 404/);
  const gone = new Registry({ url: 'http://127.0.0.1:9', isInsecure: false });
  await assert.rejects(
    gone.find(image),
    /http:\/\/127\.0\.0\.1:9 cannot be reached: .*ECONNREFUSED/,
  );
});

test('a login is sent as the registry asks for it, and not to where it redirects', async (t) => {
  const login = { user: 'ann', password: 'pä:ss' };
  const basic = `Basic ${Buffer.from('ann:pä:ss').toString('base64')}`;
  for (const givesTokens of [false, true]) {
    const script = { login: basic, givesTokens, redirects: true };
    const { url, authorizations } = await scriptedRegistry(t, script);
    const open = new Registry({ url, isInsecure: false, login });
    assert.equal(await open.download(image, 'linux/amd64'), layer.length + 24);
    assert.ok(authorizations.includes('/elsewhere none'), authorizations.join('\n'));
    const refused = new Registry({ url, isInsecure: false, login: { ...login, password: 'x' } });
    const { problem } = await refused.find(image);
    assert.equal(problem, 'status 401, it refuses the login of ann');
    const anonymous = new Registry({ url, isInsecure: false });
    assert.equal((await anonymous.find(image)).problem, 'status 401, it wants a login');
  }
});

test('what anybody may read needs no login, but perhaps a token', async (t) => {
  const { registry, requests } = await opened(t, { givesTokens: true });
  assert.equal((await registry.find(image)).problem, '');
  assert.ok(requests.includes('GET /token?service=r&scope=repository%3Ateam%2Fapp%3Apull'));
});

test('a mirror below a path is asked there', async (t) => {
  for (const [path, root] of [
    ['/nexus', '/nexus/v2'],
    ['/v2/proxy', '/v2/proxy'],
    ['/v2/{registry}', '/v2/ghcr.io'],
  ] as const) {
    const { url, requests } = await scriptedRegistry(t, { root });
    const registry = new Registry({ url: `${url}${path}`, isInsecure: false });
    assert.equal((await registry.find(image)).problem, '', path);
    assert.equal(requests.at(-1), `HEAD ${root}/team/app/manifests/1?ns=ghcr.io`);
  }
});

test('a mirror is an address with or without a path; https if it does not say', async () => {
  const variable = { SPILLWAY_REGISTRY_MIRROR: ' mirror.example.com:5000 ' };
  const urlOf = async (text?: string) => (await namedMirror(variable, text))?.url;
  assert.equal(await urlOf(), 'https://mirror.example.com:5000');
  assert.equal(await urlOf('http://10.0.0.1:5000/'), 'http://10.0.0.1:5000');
  assert.equal(await urlOf('h.example/v2/{registry}/'), 'https://h.example/v2/{registry}');
  assert.equal(await namedMirror({ SPILLWAY_REGISTRY_MIRROR: ' ' }), undefined);
  for (const text of ['ftp://a', 'a b', 'http://a?x', 'http://a#x', 'http://a/b"c', '{registry}']) {
    await assert.rejects(namedMirror({}, text), /^InputError: --mirror: /, text);
  }
});

test('a login in the address of a mirror is refused and not printed', async () => {
  await assert.rejects(namedMirror({}, 'http://ann:hush@a'), (error: Error) => {
    assert.match(error.message, /^--mirror: .*"docker login a" or "podman login a"/);
    return !error.message.includes('hush');
  });
});

test("the gateway is read from Linux's table of routes", () => {
  const rows = [
    'Iface Destination Gateway Flags',
    'eth0 0011AC AC 0',
    'eth0 00000000 0101A8C0 0003',
  ];
  assert.equal(gatewayOf(rows.join('\n').replaceAll(' ', '\t')), '192.168.1.1');
  assert.equal(gatewayOf('eth0\t00000000\t00000000\t0001'), undefined);
  assert.equal(gatewayOf(''), undefined);
});
