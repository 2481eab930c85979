// Which requests of browsers a router refuses, by Origin and Host.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCors } from '../../core/cors/index.ts';
import { Headers, type RequestHead } from '../http/index.ts';
import { browserGuard } from './browser-guard.ts';

interface Asked {
  readonly host?: string;
  readonly origin?: string;
  readonly method?: string;
  readonly isView?: boolean;
}

/** A guard of a router that listens on `address`; it says `host` or `origin` for what it refuses. */
function guardOf(address: string, allowedHosts?: readonly string[], allowedOrigins: string[] = []) {
  const cors = createCors({ allowedOrigins });
  const guard = browserGuard({ cors, host: address, allowedHosts });
  return ({ host, origin, method = 'POST', isView = false }: Asked) => {
    const reason = guard(headOf(method, { host, origin }), isView);
    return reason && (reason.includes('--allowed-hosts') ? 'host' : 'origin');
  };
}

function headOf(method: string, fields: Record<string, string | undefined>): RequestHead {
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    headers.names.push(name);
    headers.values.push(value);
  }
  return {
    ...{ method, target: '/', minorVersion: 1, headers, contentLength: 0 },
    ...{ expectsContinue: false, keepAlive: true, headBytes: 0 },
  };
}

test('programs, which send no Origin, are never refused, and by any name', () => {
  const refused = guardOf('127.0.0.1');
  assert.equal(refused({ host: 'any.example' }), undefined);
  assert.equal(refused({}), undefined);
});

test('a page of another site may read, and may change something only if its origin is allowed', () => {
  const refused = guardOf('0.0.0.0', undefined, ['https://chat.example']);
  const host = 'router.example:8000';
  assert.equal(refused({ host, origin: 'https://evil.example' }), 'origin');
  assert.equal(refused({ host, origin: 'null' }), 'origin');
  assert.equal(refused({ host, origin: 'https://chat.example' }), undefined);
  for (const method of ['GET', 'HEAD']) {
    assert.equal(refused({ host, origin: 'https://evil.example', method }), undefined, method);
  }
  assert.equal(refused({ host, origin: 'https://evil.example', method: 'DELETE' }), 'origin');
});

test('the router’s own page and pages of this machine may use it', () => {
  const refused = guardOf('0.0.0.0');
  for (const origin of [
    ...['http://router.example:3000', 'http://ROUTER.example', 'http://localhost:5173'],
    ...['http://app.localhost', 'http://127.8.9.1', 'http://[::1]:80'],
  ]) {
    assert.equal(refused({ host: 'router.example:8000', origin }), undefined, origin);
  }
  for (const origin of ['http://localhost.example', 'http://127.0.0.1.example']) {
    assert.equal(refused({ host: 'router.example:8000', origin }), 'origin', origin);
  }
});

test('on a loopback address, views need a name of this machine, an address or an allowed name', () => {
  const refused = guardOf('127.0.0.1', ['Router.internal']);
  for (const host of ['rebound.example', 'rebound.example:80', 'localhost.example']) {
    assert.equal(refused({ host, isView: true, method: 'GET' }), 'host', host);
  }
  for (const host of ['localhost:1', '127.0.0.1', '[::1]:8', '10.0.0.7', 'router.INTERNAL:80']) {
    assert.equal(refused({ host, isView: true, method: 'GET' }), undefined, host);
  }
  assert.equal(refused({ isView: true, method: 'GET' }), undefined, 'no Host at all');
  const origin = 'http://rebound.example';
  assert.equal(refused({ host: 'rebound.example', origin }), 'host', 'its own page, by its name');
});

test('on another address, names are checked only if some are given', () => {
  const view = { host: 'any.example', isView: true, method: 'GET' };
  assert.equal(guardOf('0.0.0.0')(view), undefined);
  assert.equal(guardOf('0.0.0.0', ['router.example'])(view), 'host');
  assert.equal(guardOf('router.lan', [])({ ...view, host: 'Router.lan:80' }), undefined);
});
