// The Service of router and cache server has each port of LMCache's control planes once, however it is asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Manifest, objects, one } from './helm.ts';

const portsOf = (all: readonly Manifest[], ending: string) =>
  Object.fromEntries(
    (one(all, 'Service', ending)['spec'].ports as { name: string; port: number }[]).map(
      ({ name, port }) => [name, port],
    ),
  );
const routerPorts = async (routerSpec: object) =>
  portsOf(await objects({ routerSpec }), '-router-service');

test("the router's Service has the ports of the controller and the coordinator that it starts", async () => {
  const controller = { 'lmcache-port': 9100, 'lmcache-reply': 9101, 'lmcache-beats': 9102 };
  const keys = { lmcacheControllerPort: 9100 };
  assert.deepEqual(await routerPorts(keys), { 'router-sport': 80, ...controller });
  const quoted = { lmcacheControllerPort: '9100', lmcacheControllerReplyPort: '9200' };
  assert.partialDeepStrictEqual(await routerPorts(quoted), { 'lmcache-reply': 9200 });
  const extraArgs = ['--lmcache-controller-port=9100', '--lmcache-coordinator-port', 9300];
  assert.deepEqual(await routerPorts({ extraArgs }), {
    ...{ 'router-sport': 80, ...controller, 'lmcache-coord': 9300 },
  });
  assert.deepEqual(await routerPorts({}), { 'router-sport': 80, 'lmcache-port': 9000 });
});

test('extraPorts may repeat a port that the Service has, and names it then', async () => {
  const routerSpec = {
    ...{ lmcacheControllerPort: 9000, lmcacheControllerReplyPort: 9001 },
    extraPorts: [
      { name: 'lmcache-reply', port: 9001, targetPort: 9001 },
      { name: 'beat', port: '9002' },
      { name: 'beat', port: '9002' },
      { port: 9400 },
    ],
  };
  assert.deepEqual(await routerPorts(routerSpec), {
    ...{ 'router-sport': 80, 'lmcache-port': 9000, 'lmcache-reply': 9001, beat: 9002 },
    'port-9400': 9400,
  });
});

test('a port that would have to lead to two places is refused', async () => {
  for (const [routerSpec, sentence] of [
    [
      { lmcacheControllerPort: 9000, extraPorts: [{ name: 'x', port: 9000, targetPort: 1234 }] },
      /extraPorts has port 9000 for port 1234 of the pod/,
    ],
    [
      {
        extraPorts: [
          { name: 'x', port: 81 },
          { name: 'y', port: 81, targetPort: 1 },
        ],
      },
      /extraPorts\[1\] has port 81\/TCP, which an earlier entry has too/,
    ],
    [
      {
        extraPorts: [
          { name: 'x', port: 81 },
          { name: 'x', port: 82 },
        ],
      },
      /extraPorts\[1\] is named "x", as an earlier entry is/,
    ],
    [
      { lmcacheControllerPort: 8000 },
      /lmcacheControllerPort is 8000, as is routerSpec.containerPort/,
    ],
    [
      { lmcacheControllerPort: 9000, lmcacheControllerReplyPort: 9000 },
      /lmcacheControllerReplyPort is 9000/,
    ],
  ] as const) {
    await assert.rejects(objects({ routerSpec }), sentence);
  }
  await assert.rejects(
    objects({ cacheserverSpec: { enabled: true, containerPort: 6379 } }),
    /the port of Redis' protocol is 6379, as is cacheserverSpec.containerPort/,
  );
});

test("a router or a Service on the port of upstream's controller keeps it", async () => {
  assert.deepEqual(await routerPorts({ servicePort: 9000 }), { 'router-sport': 9000 });
  assert.deepEqual(await routerPorts({ containerPort: 9000 }), { 'router-sport': 80 });
});

test('the Service of the cache server has the ports that its arguments open', async () => {
  const extraArgs = ['--controller-port', '9000', '--coordinator-port=9300'];
  const all = await objects({ cacheserverSpec: { enabled: true, extraArgs } });
  assert.deepEqual(portsOf(all, '-cache-server-service'), {
    ...{ 'cacheserver-sport': 80, redis: 6379, coordinator: 9300 },
    ...{ controller: 9000, 'ctrl-reply': 9001, 'ctrl-beats': 9002 },
  });
});

test('two cache servers keep two copies of each value, unless copies says otherwise', async () => {
  const argumentsOf = async (cacheserverSpec: object): Promise<readonly string[]> => {
    const all = await objects({ cacheserverSpec: { enabled: true, ...cacheserverSpec } });
    return one(all, 'Deployment', '-cache-server')['spec'].template.spec.containers[0].command;
  };
  for (const [given, copies] of [
    [{ replicaCount: 2 }, '2'],
    [{ replicaCount: 5 }, '2'],
    [{ replicaCount: 5, copies: 3 }, '3'],
    [{ replicaCount: 2, copies: 1 }, '1'],
  ] as const) {
    const words = await argumentsOf(given);
    assert.equal(words[words.indexOf('--copies') + 1], copies);
  }
  assert.ok(!(await argumentsOf({})).includes('--copies'));
  await assert.rejects(argumentsOf({ copies: 2 }), /copies is 2, but there is 1 cache server/);
});
