// What every policy must do, ours and those of others, run against each one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { routingRequest } from '../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../base/index.ts';
import { KvIndex } from '../kv/index.ts';
import {
  createPolicy,
  type Policy,
  policyNames,
  RoutingCore,
  type Ticket,
} from '../routing/index.ts';
import { ClairvoyantPolicy, createPeerPolicy, peerPolicyNames } from './index.ts';

const systemPrompt = 'You are a helpful assistant. '.repeat(100);

/** Request number i of a fixed mixture: shared system prompt, 20 sessions, some without a prompt. */
function requestNumber(i: number) {
  const session = i % 3 === 0 ? undefined : `s${i % 20}`;
  const prompt = i % 7 === 0 ? '' : `${systemPrompt} session ${i % 20} turn ${i >> 3} ${i}`;
  return routingRequest(prompt, { id: `${i}`, session, stream: i % 5 !== 0 });
}

/** Ours, those of the peers, and the yardstick that has to know the engines. */
function make(name: string, seed: number): Policy {
  const random = seededRandom(seed);
  if (policyNames.includes(name)) return createPolicy(name, { random });
  if (name !== 'clairvoyant') return createPeerPolicy(name, { random, kvIndex: new KvIndex() });
  const cost = { stepSeconds: ({ tokens }: { tokens: number }) => 0.01 + tokens / 20_000 };
  const engine = { cost, kvTokensMax: 400_000, maxNumBatchedTokens: 8192 };
  return new ClairvoyantPolicy(random, { requests: [], engineAt: () => engine });
}

function makeFleet(name: string, engines: number) {
  const clock = new ManualClock();
  const policy = make(name, 5);
  const core = new RoutingCore({ policy, clock });
  for (let i = 0; i < engines; i++) core.addEndpoint({ url: `http://e${i}`, models: ['m'] });
  return { core, clock };
}

for (const name of [...policyNames, ...peerPolicyNames, 'clairvoyant']) {
  test(`${name}: says its own name`, () => {
    assert.equal(make(name, 1).name, name);
  });

  test(`${name}: picks only candidates, with sane evidence, whatever comes and goes`, () => {
    const event = fc.tuple(
      fc.constantFrom(
        ...['route', 'retry', 'remove', 'add', 'restart', 'kill', 'revive', 'report'],
        ...['heardSent', 'heardFirstByte', 'heardFinished', 'forget'],
      ),
      fc.nat(5),
      fc.nat(400),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 100 }), (events) => {
        const { core, clock } = makeFleet(name, 6);
        const open: Ticket[] = [];
        for (const [kind, engine, number] of events) {
          clock.advance(number / 1000);
          const url = `http://e${engine}`;
          if (kind === 'remove') core.removeEndpoint(url);
          else if (kind === 'add') core.addEndpoint({ url, models: ['m'] });
          else if (kind === 'restart') core.endpointRestarted(url);
          else if (kind === 'kill') core.setState(url, 'dead', 'test');
          else if (kind === 'revive') core.setState(url, 'live', 'test');
          else if (kind === 'report') {
            const atSeconds = clock.nowSeconds();
            const load = { running: engine, waiting: engine, kvUsage: number / 400 };
            core.setReported(url, { atSeconds, ...load, blocksTotal: number + 1, blockTokens: 16 });
          } else if (kind === 'heardSent') {
            const about = { url, promptTokens: number, cachedTokens: number >> 2 };
            const [attempt, blocks] = [number, undefined];
            core.hear('other', {
              kind: 'sent',
              attempt,
              ...about,
              stream: number % 2 === 0,
              blocks,
            });
          } else if (kind === 'heardFirstByte') {
            core.hear('other', { kind: 'firstByte', attempt: number }, engine / 1000);
          } else if (kind === 'heardFinished') {
            core.hear('other', { kind: 'finished', attempt: number, status: 'completed' });
          } else if (kind === 'forget') core.forget('other');
          else {
            const exclude = kind === 'retry' ? new Set([url]) : undefined;
            const live = core.endpoints().filter(({ state }) => state === 'live');
            const allowed = live.map((e) => e.url).filter((u) => !exclude?.has(u));
            if (allowed.length === 0) continue;
            const request = requestNumber(number);
            const ticket = core.route(request, exclude);
            const { pick } = ticket;
            assert.ok(allowed.includes(pick.endpoint.url));
            assert.ok(pick.reason.length > 0);
            assert.ok(pick.cachedTokens >= 0 && pick.cachedTokens <= request.promptTokens);
            if (pick.scores) {
              assert.equal(pick.scores.length, allowed.length);
              assert.ok(pick.scores.every(Number.isFinite));
            }
            ticket.sent();
            open.push(ticket);
            if (engine < 3) open[0]?.firstByte();
            if (engine < 2) {
              const cachedTokens = number % 2 === 0 ? number : undefined;
              open.shift()?.finish({ status: engine === 0 ? 'failed' : 'completed', cachedTokens });
            }
          }
        }
        for (const ticket of open) ticket.finish({ status: 'cancelled' });
        core.forget('other');
        for (const { load } of core.endpoints()) {
          const idle = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };
          assert.deepEqual(load, idle);
        }
      }),
      { numRuns: 30, seed: 7 },
    );
  });

  test(`${name}: one seed and one history give one sequence of picks`, () => {
    const run = () => {
      const { core, clock } = makeFleet(name, 4);
      return Array.from({ length: 200 }, (_, i) => {
        clock.advance(0.01);
        const ticket = core.route(requestNumber(i));
        ticket.sent();
        if (i % 2 === 0) ticket.firstByte();
        if (i % 3 === 0) ticket.finish({ status: 'completed' });
        return `${ticket.pick.endpoint.url} ${ticket.pick.reason}`;
      });
    };
    assert.deepEqual(run(), run());
  });

  test(`${name}: an idle fleet of equals is used evenly by unrelated requests`, () => {
    const { core, clock } = makeFleet(name, 4);
    const counts = new Map<string, number>();
    for (let i = 0; i < 400; i++) {
      clock.advance(1);
      const ticket = core.route(routingRequest(`${i} `.repeat(500), { session: `s${i}` }));
      ticket.sent();
      clock.advance(0.1);
      ticket.firstByte();
      ticket.finish({ status: 'completed' });
      const { url } = ticket.pick.endpoint;
      counts.set(url, (counts.get(url) ?? 0) + 1);
    }
    for (const count of counts.values()) assert.ok(count > 60 && count < 140, `${count} of 400`);
  });
}

test('an unknown policy is refused with the names that exist', () => {
  assert.throws(
    () => createPolicy('fastest', { random: seededRandom(1) }),
    /There is no routing policy "fastest"; --routing-logic takes .*roundrobin/,
  );
});
