import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { pageProblem } from './index.ts';

function problemOf(
  headers: Record<string, string>,
  { method = 'POST', localAddress = '127.0.0.1' } = {},
): string | undefined {
  return pageProblem({ method, headers, socket: { localAddress } } as unknown as IncomingMessage);
}

test('programs are served, whatever name they use elsewhere', () => {
  assert.equal(problemOf({ host: '127.0.0.1:9000' }), undefined);
  assert.equal(problemOf({ host: 'localhost:9000' }), undefined);
  assert.equal(problemOf({}), undefined);
  assert.equal(problemOf({ host: 'cache.internal' }, { localAddress: '10.0.0.7' }), undefined);
  // Debian maps the machine's own name to 127.0.1.1, and a sidecar passes on the name of a Service.
  for (const host of ['gpu-1:9000', 'vllm-cache-server-service']) {
    assert.equal(problemOf({ host }, { localAddress: '127.0.1.1' }), undefined, host);
  }
});

test('pages of other sites change nothing, and names that point here read nothing', () => {
  const origin = 'http://evil.example';
  assert.match(problemOf({ host: '127.0.0.1', origin }) ?? '', /^Pages of this origin/);
  assert.match(
    problemOf({ host: '10.0.0.7', origin }, { localAddress: '10.0.0.7' }) ?? '',
    /origin/,
  );
  const rebound = { host: 'rebind.evil.example' };
  for (const method of ['GET', 'POST']) {
    assert.equal(
      problemOf(rebound, { method }),
      'The host name "rebind.evil.example" is not one of this server; use its address.',
    );
  }
  assert.match(problemOf(rebound, { localAddress: '::ffff:127.0.0.1' }) ?? '', /host name/);
  assert.equal(problemOf({ host: 'localhost', origin: 'http://localhost:3000' }), undefined);
});
