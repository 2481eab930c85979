import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouteTable } from './index.ts';

const table = new RouteTable<string>({
  '/health': { 'GET,HEAD': 'health' },
  '/items/{id}': { GET: 'one item', DELETE: 'item gone' },
  '/items/all': { POST: 'all items' },
  '/files{rest:path}': { '*': 'file' },
});

const handlerOf = (method: string, path: string) => {
  const match = table.find(method, path);
  return match.kind === 'found' ? match.handler : match.kind;
};

test('finds the handler of a path and method', () => {
  assert.equal(handlerOf('GET', '/health'), 'health');
  assert.equal(handlerOf('HEAD', '/health'), 'health');
  assert.equal(handlerOf('DELETE', '/items/7'), 'item gone');
  assert.equal(handlerOf('PATCH', '/files/a/b'), 'file');
});

test('returns the parameters of a path by name; they end at a slash unless they are the rest', () => {
  const match = table.find('GET', '/items/7');
  assert.deepEqual(match.kind === 'found' && match.parameters, { id: '7' });
  assert.equal(handlerOf('GET', '/items/7/8'), 'no-path');
  const rest = table.find('GET', '/files/a/b');
  assert.deepEqual(rest.kind === 'found' && rest.parameters, { rest: '/a/b' });
});

test('prefers a fixed path; one with parameters serves the methods that the fixed one lacks', () => {
  assert.equal(handlerOf('POST', '/items/all'), 'all items');
  assert.equal(handlerOf('GET', '/items/all'), 'one item');
});

test('returns the allowed methods of a known path, and nothing for an unknown one', () => {
  const wrong = { kind: 'wrong-method', path: '/items/{id}', allow: ['GET', 'DELETE'] };
  assert.deepEqual(table.find('PUT', '/items/7'), wrong);
  assert.deepEqual(table.find('POST', '/health'), {
    kind: 'wrong-method',
    path: '/health',
    allow: ['GET, HEAD'],
  });
  assert.deepEqual(table.find('GET', '/nothing'), { kind: 'no-path' });
  assert.deepEqual(
    [table.pathOf('/items/7'), table.pathOf('/nothing')],
    ['/items/{id}', undefined],
  );
});

test('finds the path that differs in its last slashes, in time that grows with the path only', () => {
  assert.deepEqual(table.turned('/health//'), { path: '/health', route: '/health' });
  assert.deepEqual(table.turned('/items/7/'), { path: '/items/7', route: '/items/{id}' });
  assert.equal(new RouteTable({ '/docs/': { GET: '' } }).turned('/docs')?.path, '/docs/');
  for (const path of ['/health', '/', '//', '/nothing/']) {
    assert.equal(table.turned(path), undefined, path);
  }
  const startedAt = performance.now();
  assert.equal(table.turned(`${'/'.repeat(1_000_000)}x/`), undefined);
  assert.ok(performance.now() - startedAt < 1000);
});
