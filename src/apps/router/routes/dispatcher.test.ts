// What the dispatcher refuses before and after a body was read, and where a request goes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from '../../../../test/support/client-in-memory.ts';
import { createCors } from '../../../core/cors/index.ts';
import { attemptUpdatesPath } from '../../../io/attempt-updates/index.ts';
import { browserGuard } from '../../../io/browser-guard/index.ts';
import { answer } from '../requests/answer.ts';
import { type DispatcherOptions, dispatcher } from './dispatcher.ts';
import type { RouteHandler } from './router-routes.ts';

type Lines = Readonly<Record<string, string>>;
interface Asked {
  readonly method?: string;
  readonly target?: string;
  readonly body?: string;
  readonly overLimit?: boolean;
}

/** A router at a loopback address whose routes respond with their target, and journal of the handlers' calls. */
function begin(options: Partial<DispatcherOptions> = {}) {
  const arrivals: number[] = [];
  const handler: RouteHandler = (exchange, arrivedAtMs) => {
    arrivals.push(arrivedAtMs);
    answer(exchange, 200, 'text/plain', exchange.target);
  };
  const routes = {
    '/health': { 'GET,HEAD': handler },
    '/engines': { 'GET,HEAD': handler },
    '/v1/models': { 'GET,HEAD': handler },
    '/v1/chat/completions': { POST: handler },
  };
  const peerRoute = { [attemptUpdatesPath]: { 'GET,HEAD': handler } };
  const cors = createCors({ allowedOrigins: ['http://page'] });
  const { refuseHead, onRequest } = dispatcher({
    routes: options.peersKey === undefined ? routes : { ...routes, ...peerRoute },
    ...{ rootPath: '', keys: undefined, pagePaths: new Set<string>(), peersKey: undefined, cors },
    guard: browserGuard({ cors, host: '127.0.0.1', allowedHosts: undefined }),
    views: new Set(['/engines']),
    ...options,
  });
  const clientOf = (lines: Lines, { overLimit = false, ...asked }: Asked) => {
    const client = new Client(lines, { method: 'GET', target: '/v1/models', ...asked });
    client.overLimit = overLimit;
    return client;
  };
  return {
    arrivals,
    /** A request whose body, if any, has been read. */
    ask: (lines: Lines = {}, asked: Asked = {}) => {
      const client = clientOf(lines, asked);
      onRequest(client.exchange);
      return client;
    },
    /** The refusal of a head before its body is read. */
    refusal: (lines: Lines = {}, asked: Asked = {}) => {
      const error = refuseHead(clientOf(lines, asked).head);
      return error && `${error.status} ${error.message}`;
    },
  };
}

const key = { authorization: 'Bearer secret' };
const wrongKey = 'Wrong or missing API key.';

test('a path that differs from a route in its last slash leads there, with its query', () => {
  const { ask, arrivals } = begin();
  const located = (method: string, target: string, rootPath = '') => {
    const client = (rootPath === '' ? { ask } : begin({ rootPath })).ask({}, { method, target });
    return [client.status, client.header('location')];
  };
  assert.deepEqual(located('GET', '/v1/models/'), [307, '/v1/models']);
  assert.deepEqual(located('POST', '/v1/chat/completions/?id=a&b=//c'), [
    307,
    '/v1/chat/completions?id=a&b=//c',
  ]);
  assert.deepEqual(located('GET', '/vllm/v1/models//', '/vllm'), [307, '/vllm/v1/models']);
  assert.deepEqual(located('GET', '/v1/models/', '/vllm'), [307, '/vllm/v1/models']);
  for (const target of ['/nowhere/', '/', '//host/v1/models/']) {
    assert.equal(located('GET', target)[0], 404, target);
  }
  assert.equal(arrivals.length, 0);
});

test('a request goes to the handler of its path, with its query and its time of arrival', (t) => {
  t.mock.method(performance, 'now', () => 5_000);
  const { ask, arrivals } = begin();
  const client = ask({}, { target: '/v1/models?limit=1' });
  assert.deepEqual([client.status, client.text], [200, '/v1/models?limit=1']);
  assert.deepEqual(arrivals, [5_000]);
});

test('an unknown path gets 404, another method 405 with those that are allowed', () => {
  const { ask } = begin();
  const unknown = ask({}, { target: '/nowhere?a=b' });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.error['message'], 'There is no route /nowhere here.');
  const wrong = ask({}, { target: '/v1/models', method: 'DELETE' });
  assert.equal(wrong.status, 405);
  assert.equal(wrong.error['message'], 'DELETE is not allowed on /v1/models.');
  assert.equal(wrong.header('allow'), 'GET, HEAD');
});

test('the path prefix of a reverse proxy is taken off, and only as a whole part of the path', () => {
  const { ask, refusal } = begin({
    rootPath: '/llm',
    keys: { isRight: (given) => given === 'secret' },
  });
  const textOf = (target: string) => ask(key, { target }).text;
  assert.equal(textOf('/llm/v1/models?a=1'), '/v1/models?a=1');
  assert.equal(textOf('/v1/models'), '/v1/models');
  assert.equal(ask(key, { target: '/llmore/v1/models' }).status, 404);
  assert.equal(ask(key, { target: '/v1/models/llm/' }).status, 404);
  assert.equal(ask({}, { target: '/llm/health' }).status, 200, 'the open path behind the prefix');
  assert.equal(refusal({}, { target: '/llm/health?a=1' }), undefined);
  assert.equal(begin().ask({}, { target: '//v1/models' }).status, 404, 'no prefix is taken off');
});

test('without the key a request is refused, before its body is read and after', () => {
  const { ask, refusal } = begin({ keys: { isRight: (given) => given === 'secret' } });
  const post = { method: 'POST', target: '/v1/chat/completions', body: '{}' };
  assert.equal(refusal({}, post), `401 ${wrongKey}`);
  assert.equal(refusal(key, post), undefined);
  assert.equal(ask(key, post).status, 200);
  const refused = ask({}, { target: '/v1/models' });
  assert.deepEqual([refused.status, refused.error['message']], [401, wrongKey]);
  assert.equal(ask(key, { target: '/v1/models' }).status, 200);
  assert.equal(ask({}, { target: '/health' }).status, 200);
});

test('a body that has been read is not checked a second time', () => {
  const { ask } = begin({ keys: { isRight: (given) => given === 'secret' } });
  const post = { method: 'POST', target: '/v1/chat/completions', body: '{}' };
  assert.equal(ask({}, post).status, 200);
});

test('peer routers have a key of their own on their path, which is none elsewhere', () => {
  const { ask } = begin({ keys: { isRight: (given) => given === 'secret' }, peersKey: 'peers' });
  const peersKey = { authorization: 'Bearer peers' };
  assert.equal(ask(peersKey, { target: attemptUpdatesPath }).status, 200);
  assert.equal(ask(key, { target: attemptUpdatesPath }).status, 401);
  assert.equal(ask(peersKey, { target: '/v1/models' }).status, 401);
});

test('without peer routers, their path is one like any other: unknown, and behind the key', () => {
  const { ask } = begin({ keys: { isRight: (given) => given === 'secret' } });
  assert.equal(ask({}, { target: attemptUpdatesPath }).status, 401);
  assert.equal(ask(key, { target: attemptUpdatesPath }).status, 404);
});

test('a page of another site is refused, before a body is read and after', () => {
  const { ask, refusal } = begin();
  const lines = { origin: 'http://evil', host: '127.0.0.1' };
  const post = { method: 'POST', target: '/v1/chat/completions' };
  assert.match(refusal(lines, post) ?? '', /^403 Pages of this origin/);
  const refused = ask(lines, post);
  assert.equal(refused.status, 403);
  assert.match(String(refused.error['message']), /^Pages of this origin/);
  assert.equal(ask({ ...lines, origin: 'http://page' }, post).status, 200);
});

test('a view is refused under a name that is not the router’s, other paths are not', () => {
  const { ask, refusal } = begin();
  const rebound = { host: 'evil.example' };
  assert.equal(ask(rebound, { target: '/engines?a=1' }).status, 403);
  assert.match(refusal(rebound, { target: '/engines?a=1' }) ?? '', /^403 The host name/);
  assert.equal(ask(rebound, { target: '/v1/models' }).status, 200);
  assert.equal(refusal(rebound, { target: '/v1/models' }), undefined);
});

test('a preflight request is answered without a key, with what the origin may do', () => {
  const { ask } = begin({ keys: { isRight: (given) => given === 'secret' } });
  const lines = { origin: 'http://page', 'access-control-request-method': 'POST' };
  const options = { method: 'OPTIONS', target: '/v1/chat/completions' };
  const allowed = ask(lines, options);
  assert.deepEqual([allowed.status, allowed.text], [200, 'OK']);
  assert.equal(allowed.header('content-type'), 'text/plain; charset=utf-8');
  assert.equal(allowed.header('access-control-allow-origin'), 'http://page');
  assert.equal(ask({ ...lines, origin: 'http://evil' }, options).status, 400);
});

test('OPTIONS that is no preflight request needs no key, and gets the allowed methods', () => {
  const { ask } = begin({ keys: { isRight: (given) => given === 'secret' } });
  const asked = ask({}, { method: 'OPTIONS', target: '/v1/models' });
  assert.deepEqual([asked.status, asked.header('allow')], [405, 'GET, HEAD']);
});

test('responses to a page say which origin may read them, also errors; others have no such lines', () => {
  const { ask } = begin();
  for (const target of ['/v1/models', '/nowhere']) {
    const client = ask({ origin: 'http://page' }, { target });
    assert.equal(client.header('access-control-allow-origin'), 'http://page', target);
    assert.equal(client.header('vary'), 'Origin', target);
  }
  const other = ask({ origin: 'http://evil' });
  assert.deepEqual(
    [other.header('access-control-allow-origin'), other.header('vary')],
    [undefined, 'Origin'],
  );
  assert.equal(ask().header('vary'), undefined);
});

test('beyond the connections that it may have, the router serves only probes', () => {
  const { ask } = begin();
  const refused = ask({}, { overLimit: true });
  assert.deepEqual(
    [refused.status, refused.error['message']],
    [503, 'The router has all the client connections that it may have.'],
  );
  assert.equal(ask({}, { target: '/health', overLimit: true }).status, 200);
});
