// Routers in front of the same engines that exchange their attempts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { routingRequest } from '../../../test/support/routing.ts';
import { ManualClock } from '../base/index.ts';
import {
  type AttemptUpdate,
  createPolicy,
  type PeerVerdict,
  type Policy,
  RoutingCore,
  type Ticket,
} from './index.ts';

const urls = ['http://a', 'http://b', 'http://c'];
const idle = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };
/** A constant source of random numbers: every router breaks ties in the same way. */
const random = { next: () => 0.5 };

const create = {
  predictive: () => createPolicy('predictive', { random }),
  prefixaware: () => createPolicy('prefixaware', { random }),
  leastloaded: () => createPolicy('leastloaded', { random }),
};

/** Picks the engine named by the request's session, and expects a tenth of each prompt to be cached. */
const obedient = (): Policy => ({
  name: 'obedient',
  needsTokens: false,
  pick: ({ session, promptTokens }, endpoints) => ({
    endpoint: endpoints.find(({ url }) => url === session) ?? (endpoints[0] as never),
    reason: 'as told',
    cachedTokens: Math.floor(promptTokens / 10),
    scores: undefined,
  }),
});

/** Routers that receive each other's updates at once, or only when they are delivered. */
function routersOf(count: number, policy: () => Policy, options: { later?: boolean } = {}) {
  const clock = new ManualClock();
  const pending: (() => void)[] = [];
  const cores: RoutingCore[] = [];
  const tell = (from: number, update: AttemptUpdate) => {
    const deliver = () => {
      for (const [to, core] of cores.entries()) if (to !== from) core.receive(`${from}`, update);
    };
    if (options.later) pending.push(deliver);
    else deliver();
  };
  for (let i = 0; i < count; i++) {
    cores.push(new RoutingCore({ policy: policy(), clock, onUpdate: (update) => tell(i, update) }));
  }
  for (const core of cores) for (const url of urls) core.addEndpoint({ url, models: ['m'] });
  const deliverAll = () => {
    for (const deliver of pending.splice(0)) deliver();
  };
  return { clock, cores, deliverAll };
}

const loadsOf = (core: RoutingCore) => core.endpoints().map(({ load }) => load);
const ownLoadsOf = (core: RoutingCore) => core.endpoints().map(({ ownLoad }) => ownLoad);

function sentBy(core: RoutingCore | undefined, overrides: Parameters<typeof routingRequest>[1]) {
  const ticket = (core as RoutingCore).route(routingRequest('', overrides));
  ticket.sent();
  return ticket;
}

test('a failure of an engine reaches other routers: their retries avoid it until it works, or for 10 s', () => {
  for (const end of ['works', 'ages'] as const) {
    const { clock, cores } = routersOf(2, create.leastloaded);
    const failing = sentBy(cores[0], {});
    const { url } = failing.pick.endpoint;
    failing.broke();
    failing.finish({ status: 'failed' });
    const retry = () => (cores[1] as RoutingCore).route(routingRequest('', {}), new Set(['other']));
    const isMet = () =>
      Array.from({ length: 6 }, retry).some(({ pick }) => pick.endpoint.url === url);
    assert.equal(isMet(), false);
    clock.advance(end === 'ages' ? 10.5 : 1);
    if (end === 'works') cores[1]?.receive('x', { ...sentUpdate, url });
    clock.advance(0.5);
    if (end === 'works')
      cores[1]?.receive('x', { kind: 'finished', attempt: 7, status: 'completed' });
    assert.equal(isMet(), true, end);
  }
});

const sentUpdate = {
  ...{ kind: 'sent' as const, attempt: 7, promptTokens: 1, cachedTokens: 0, stream: true },
  blocks: undefined,
};

test('routers that share attempts count the same load as a single router, and none at the end', () => {
  const step = fc.record({
    router: fc.nat(2),
    attempt: fc.nat(9),
    action: fc.constantFrom('route', 'route', 'firstByte', 'completed', 'failed'),
    promptTokens: fc.nat(5000),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80 }),
      fc.constantFrom(obedient, ...Object.values(create)),
      (steps, policy) => {
        const { cores } = routersOf(3, policy);
        const one = routersOf(1, obedient).cores[0] as RoutingCore;
        const open: { readonly ticket: Ticket; readonly same: Ticket }[] = [];
        for (const { router, attempt, action, promptTokens } of steps) {
          const at = open.length === 0 ? 0 : attempt % open.length;
          if (action === 'route') {
            const session = urls[attempt % 3];
            const ticket = sentBy(cores[router], { session, promptTokens });
            const { url } = ticket.pick.endpoint;
            const same = sentBy(one, { session: url, promptTokens });
            open.push({ ticket, same });
          } else if (action === 'firstByte') {
            open[at]?.ticket.firstByte();
            open[at]?.same.firstByte();
          } else {
            const [ended] = open.splice(at, 1);
            ended?.ticket.finish({ status: action });
            ended?.same.finish({ status: action });
          }
          const own = cores.map(ownLoadsOf);
          for (const core of cores) {
            assert.deepEqual(loadsOf(core), loadsOf(cores[0] as RoutingCore));
            assert.deepEqual(
              loadsOf(core).map(({ inflight }) => inflight),
              urls.map((_, e) => own.reduce((sum, loads) => sum + (loads[e]?.inflight ?? 0), 0)),
            );
          }
          if (policy === obedient) assert.deepEqual(loadsOf(cores[0] as never), loadsOf(one));
        }
        for (const { ticket } of open) ticket.finish({ status: 'cancelled' });
        for (const core of cores) {
          for (const load of [...loadsOf(core), ...ownLoadsOf(core)]) assert.deepEqual(load, idle);
        }
      },
    ),
    { seed: 3 },
  );
});

test('routers that share attempts without delay pick as one router would', () => {
  for (const [name, policy] of Object.entries(create)) {
    const picked = (routers: number) => {
      const { cores, clock } = routersOf(routers, policy);
      const open: Ticket[] = [];
      return Array.from({ length: 300 }, (_, i) => {
        clock.advance(0.06 + (i % 5) * 0.02);
        const prompt = `${`document ${i % 7} `.repeat(300)}${`question ${i}`.repeat(i % 11)}`;
        const ticket = (cores[i % routers] as RoutingCore).route(routingRequest(prompt));
        ticket.sent();
        open.push(ticket);
        if (i % 3 !== 0) open[(i * 7) % open.length]?.firstByte();
        const answer = { promptTokens: 1000, cachedTokens: 200, outputTokens: 10 + (i % 50) };
        if (i % 4 !== 0) open.shift()?.finish({ status: 'completed', ...answer });
        return ticket.pick.endpoint.url;
      });
    };
    assert.deepEqual(picked(3), picked(1), name);
  }
});

test('peers’ attempts count neither in this router’s totals nor in its own load', () => {
  const { cores } = routersOf(2, create.predictive);
  const ticket = sentBy(cores[0], { promptTokens: 100 });
  const { url } = ticket.pick.endpoint;
  const atPeer = cores[1]?.endpoint(url);
  assert.equal(atPeer?.load.prefillTokens, 100);
  assert.deepEqual(atPeer?.ownLoad, idle);
  ticket.finish({ status: 'failed' });
  assert.deepEqual(cores[1]?.endpoint(url)?.totals, { requests: 0, errors: 0, retries: 0 });
  assert.deepEqual(cores[0]?.endpoint(url)?.totals, { requests: 1, errors: 1, retries: 0 });
});

test('a dropped router no longer counts, and its later updates change nothing', () => {
  for (const policy of [obedient, ...Object.values(create)]) {
    const { cores, deliverAll } = routersOf(2, policy, { later: true });
    const [first, second] = cores as [RoutingCore, RoutingCore];
    const open = Array.from({ length: 6 }, (_, i) => sentBy(first, { promptTokens: 10 * i }));
    for (const ticket of open.slice(3)) ticket.firstByte();
    const own = sentBy(second, { promptTokens: 7 });
    deliverAll();
    assert.notDeepEqual(loadsOf(second), ownLoadsOf(second));
    second.forget('0');
    assert.deepEqual(loadsOf(second), ownLoadsOf(second));
    for (const ticket of open) ticket.finish({ status: 'completed' });
    deliverAll();
    second.forget('unknown');
    own.finish({ status: 'completed' });
    for (const load of loadsOf(second)) assert.deepEqual(load, idle);
  }
});

test('a router that joins late gets a snapshot of the attempts in flight and their ages', () => {
  const { cores, clock, deliverAll } = routersOf(1, create.predictive);
  const core = cores[0] as RoutingCore;
  const ended = sentBy(core, { promptTokens: 1 });
  clock.advance(2);
  const decoding = sentBy(core, { promptTokens: 30 });
  clock.advance(0.5);
  decoding.firstByte();
  const waiting = sentBy(core, { promptTokens: 500 });
  ended.finish({ status: 'completed' });
  clock.advance(1);
  assert.deepEqual(
    core.snapshot().map(({ update, agoSeconds }) => [update.kind, update.attempt, agoSeconds]),
    [
      ['sent', 1, 1.5],
      ['firstByte', 1, 1],
      ['sent', 2, 1],
    ],
  );
  const late = new RoutingCore({ policy: create.predictive(), clock });
  for (const url of urls) late.addEndpoint({ url, models: ['m'] });
  // Twice, as after a reconnection: a known attempt is not counted again.
  for (let i = 0; i < 2; i++) {
    for (const { update, agoSeconds } of core.snapshot()) late.receive('0', update, agoSeconds);
  }
  assert.deepEqual(loadsOf(late), loadsOf(core));
  assert.deepEqual(late.snapshot(), []);
  decoding.finish({ status: 'completed' });
  waiting.finish({ status: 'completed' });
  deliverAll();
  assert.deepEqual(core.snapshot(), []);
});

test('an update about an unknown engine or an unknown attempt changes nothing', () => {
  const { cores } = routersOf(2, create.predictive);
  const [first, second] = cores as [RoutingCore, RoutingCore];
  first.addEndpoint({ url: 'http://elsewhere', models: ['rare'] });
  const ticket = sentBy(first, { model: 'rare', promptTokens: 50 });
  ticket.firstByte();
  for (const load of loadsOf(second)) assert.deepEqual(load, idle);
  ticket.finish({ status: 'completed' });
  second.receive('0', { kind: 'finished', attempt: 99, status: 'completed' });
  for (const load of loadsOf(second)) assert.deepEqual(load, idle);
});

test('an attempt that outlives its engine here ends without changing the new engine’s load', () => {
  const { cores } = routersOf(2, create.predictive);
  const [first, second] = cores as [RoutingCore, RoutingCore];
  const ticket = sentBy(first, { promptTokens: 50 });
  const { url } = ticket.pick.endpoint;
  second.removeEndpoint(url);
  second.addEndpoint({ url, models: ['m'] });
  ticket.firstByte();
  ticket.finish({ status: 'completed' });
  assert.deepEqual(second.endpoint(url)?.load, idle);
});

test('at most 65,536 attempts per router are counted, and all of them end', () => {
  const clock = new ManualClock();
  const core = new RoutingCore({ policy: obedient(), clock });
  core.addEndpoint({ url: 'http://a', models: ['m'] });
  const about = { url: 'http://a', promptTokens: 1, cachedTokens: 0, stream: true };
  for (let attempt = 0; attempt < 65_546; attempt++) {
    core.receive('0', { kind: 'sent', attempt, ...about, blocks: undefined });
  }
  assert.equal(core.endpoint('http://a')?.load.inflight, 65_536);
  for (let attempt = 0; attempt < 65_546; attempt++) {
    core.receive('0', { kind: 'finished', attempt, status: 'completed' });
  }
  assert.deepEqual(core.endpoint('http://a')?.load, idle);
  core.receive('0', { kind: 'sent', attempt: 65_546, ...about, blocks: undefined });
  assert.equal(core.endpoint('http://a')?.load.inflight, 1, 'ended attempts leave room');
});

test('blocks named by another policy are not confused with our own', () => {
  const { cores, clock } = routersOf(1, create.prefixaware);
  const told: AttemptUpdate[] = [];
  const other = new RoutingCore({
    policy: create.predictive(),
    clock,
    onUpdate: (update) => told.push(update),
  });
  for (const url of urls) other.addEndpoint({ url, models: ['m'] });
  const request = routingRequest('a document '.repeat(200));
  other.route(request).sent();
  const core = cores[0] as RoutingCore;
  for (const update of told) core.receive('0', update);
  assert.equal(core.route(request).pick.cachedTokens, 0);
});

test('a dropped router counts again from the snapshot of its next connection', () => {
  const { cores } = routersOf(2, obedient);
  const [first, second] = cores as [RoutingCore, RoutingCore];
  const sent = [0, 1].map(() => sentBy(first, { promptTokens: 10 }));
  second.forget('0');
  for (const { update, agoSeconds } of first.snapshot()) second.receive('0', update, agoSeconds);
  assert.equal(second.endpoint('http://a')?.load.inflight, 2);
  for (const ticket of sent) ticket.finish({ status: 'completed' });
  assert.deepEqual(second.endpoint('http://a')?.load, idle);
});

test('each update is published once, even if the attempt reports it repeatedly', () => {
  const update: AttemptUpdate['kind'][] = [];
  const onUpdate = ({ kind }: AttemptUpdate) => update.push(kind);
  const core = new RoutingCore({ policy: obedient(), clock: new ManualClock(), onUpdate });
  core.addEndpoint({ url: 'http://a', models: ['m'] });
  const ticket = core.route(routingRequest());
  for (let i = 0; i < 2; i++) ticket.sent();
  for (let i = 0; i < 2; i++) ticket.firstByte();
  for (let i = 0; i < 2; i++) ticket.finish({ status: 'failed' });
  ticket.firstByte();
  const unsent = core.route(routingRequest());
  unsent.firstByte();
  unsent.finish({ status: 'failed' });
  unsent.sent();
  assert.deepEqual(update, ['sent', 'firstByte', 'finished']);
  assert.deepEqual(core.endpoint('http://a')?.totals, { requests: 1, errors: 1, retries: 0 });
});

test('a peer’s attempt says whether its engine works, by its own times, unless it says nothing about it', () => {
  const clock = new ManualClock();
  const verdicts: PeerVerdict[] = [];
  const onPeerVerdict = (verdict: PeerVerdict) => verdicts.push(verdict);
  const core = new RoutingCore({ policy: obedient(), clock, onPeerVerdict });
  core.addEndpoint({ url: 'http://a', models: ['m'] });
  clock.advanceTo(10);
  const ends = [
    { status: 'completed' },
    { status: 'failed', broke: true },
    { status: 'failed' },
    { status: 'cancelled' },
  ] as const;
  for (const attempt of ends.keys()) {
    core.receive('0', { ...sentUpdate, url: 'http://a', attempt }, 3);
  }
  clock.advanceTo(12);
  for (const [attempt, end] of ends.entries()) {
    core.receive('0', { kind: 'finished', attempt, ...end }, 1);
  }
  assert.deepEqual(verdicts, [
    { url: 'http://a', outcome: 'completed', tookSeconds: 4 },
    { url: 'http://a', outcome: 'broke', tookSeconds: 4 },
  ]);
});
