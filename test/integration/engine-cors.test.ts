// Pages of other origins before the embedded engine, by the rules of Starlette's CORSMiddleware, which
// vLLM puts before its routes.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createEngineServer, type EngineServerOptions } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';

const tokenizer = await loadTokenizer();
const origin = 'https://page.example';

test('by default no origin is allowed', async (t) => {
  const { preflight, get } = await start(t, {});
  const { status, text, headers } = await preflight({});
  assert.deepEqual([status, text], [400, 'Disallowed CORS origin']);
  assert.equal(headers.get('access-control-allow-origin'), null);
  assert.equal((await get()).get('access-control-allow-origin'), null);
});

test('any origin is allowed by a star, and named once credentials are', async (t) => {
  const open = await start(t, { allowedOrigins: ['*'] });
  assert.equal((await open.preflight({})).text, 'OK');
  assert.equal((await open.preflight({})).headers.get('access-control-allow-origin'), '*');
  assert.equal((await open.get()).get('access-control-allow-origin'), '*');
  const named = await start(t, { allowedOrigins: ['*'], allowCredentials: true });
  const headers = await named.get();
  assert.equal(headers.get('access-control-allow-origin'), origin);
  assert.equal(headers.get('access-control-allow-credentials'), 'true');
});

test('a list of origins, methods and headers allows these alone', async (t) => {
  const { preflight, get } = await start(t, {
    ...{ allowedOrigins: [origin], allowedMethods: ['GET'], allowedHeaders: ['X-One'] },
  });
  assert.equal((await get()).get('access-control-allow-origin'), origin);
  assert.equal((await get('https://other.example')).get('access-control-allow-origin'), null);
  const refused = await preflight({ 'access-control-request-headers': 'x-one, x-two' });
  assert.deepEqual([refused.status, refused.text], [400, 'Disallowed CORS method, headers']);
  const { headers } = refused;
  assert.equal(
    headers.get('access-control-allow-headers'),
    'Accept, Accept-Language, Content-Language, Content-Type, X-One',
  );
  const allowed = await preflight({
    ...{ 'access-control-request-method': 'GET', 'access-control-request-headers': 'x-one' },
  });
  assert.deepEqual([allowed.status, allowed.text], [200, 'OK']);
});

async function start(t: TestContext, cors: NonNullable<EngineServerOptions['cors']>) {
  const server = await createEngineServer({
    ...{ port: 0, model: 'tiny', tokenizer, cors },
    config: defaultEngineConfig({ maxModelLen: 4096, numGpuBlocks: 1000 }),
    cost: { stepSeconds: () => 0.001 },
  });
  t.after(() => server.close());
  const url = `${server.url}/v1/models`;
  return {
    get: async (from = origin) => (await fetch(url, { headers: { origin: from } })).headers,
    preflight: async (headers: Readonly<Record<string, string>>) => {
      const asked = { origin, 'access-control-request-method': 'POST', ...headers };
      const response = await fetch(url, { method: 'OPTIONS', headers: asked });
      return { status: response.status, headers: response.headers, text: await response.text() };
    },
  };
}
