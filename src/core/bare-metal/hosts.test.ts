import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listenAddress, parseHosts, urlHost } from './hosts.ts';

test('hosts are written as for ssh, and localhost is this machine', () => {
  const [here, name, whole, ipv6] = parseHosts([
    'localhost',
    'gpu1',
    'admin@10.0.0.7:2222',
    '[fd00::1]:22',
  ]);
  assert.equal(here?.ssh, undefined);
  assert.deepEqual(name, {
    ...{ text: 'gpu1', address: 'gpu1' },
    ssh: { user: undefined, port: undefined },
  });
  assert.deepEqual(whole, {
    ...{ text: 'admin@10.0.0.7:2222', address: '10.0.0.7' },
    ssh: { user: 'admin', port: 2222 },
  });
  assert.equal(ipv6?.address, 'fd00::1');
  assert.equal(urlHost(ipv6 as never), '[fd00::1]');
});

test('a login on localhost goes by ssh', () => {
  const [host] = parseHosts(['root@localhost:2222']);
  assert.deepEqual(host?.ssh, { user: 'root', port: 2222 });
});

test('what cannot be a host is an error that names it', () => {
  for (const text of [
    'gpu 1',
    '-oProxyCommand=x',
    'a@b@c',
    'gpu1:99999',
    '',
    'gpu1;reboot',
    '$(x)',
  ]) {
    assert.throws(() => parseHosts([text]), { code: 'ERR_INPUT' }, text);
  }
  assert.throws(() => parseHosts([]), { message: /--hosts/ });
  assert.throws(() => parseHosts(['a', 'x@a']), { message: /named twice/ });
  assert.throws(() => parseHosts(Array.from({ length: 65 }, (_, i) => `h${i}`)), {
    message: /at most 64/,
  });
});

test('services listen on loopback, on an address that is named, or on all of a named host', () => {
  const listens = (text: string) => parseHosts([text]).map(listenAddress)[0];
  assert.equal(listens('localhost'), '127.0.0.1');
  assert.equal(listens('root@127.0.0.1:2222'), '127.0.0.1');
  assert.equal(listens('10.0.0.7'), '10.0.0.7');
  assert.equal(listens('gpu1'), '0.0.0.0');
});
