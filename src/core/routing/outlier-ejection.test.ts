import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock, seededRandom } from '../base/index.ts';
import {
  createPolicy,
  policyNames,
  RoutingCore,
  type RoutingRequest,
  type Ticket,
} from './index.ts';

const urls = ['http://a', 'http://b', 'http://c', 'http://d'];
const bad = 'http://a';

function fleet(policy = 'roundrobin', engines = urls) {
  const clock = new ManualClock();
  const core = new RoutingCore({
    policy: createPolicy(policy, { random: seededRandom(1) }),
    clock,
  });
  for (const url of engines) core.addEndpoint({ url, models: ['m'] });
  let requests = 0;
  /** One request; `fails` says which engines fail it, at once. @returns The engine. */
  const request = (fails: (url: string) => boolean, seconds = 0.05): string => {
    const ticket = core.route(requestOf(requests++));
    const { url } = ticket.pick.endpoint;
    ticket.sent();
    clock.advance(seconds);
    if (fails(url)) ticket.finish({ status: 'failed' });
    else {
      ticket.firstByte();
      ticket.finish({ status: 'completed' });
    }
    return url;
  };
  return { clock, core, request };
}

function requestOf(index: number): RoutingRequest {
  return {
    ...{ id: String(index), model: 'm', session: `s${index}` },
    prompt: [Buffer.from(`prompt ${index} `.repeat(20))],
    ...{ promptTokens: 100, tokens: Uint32Array.from({ length: 100 }, (_, i) => i * index) },
    ...{ outputTokensMax: undefined, stream: false },
  };
}

const isBad = (url: string) => url === bad;
const never = () => false;

test('five failures in a row eject an engine, and a success in between starts the count again', () => {
  const { core, request } = fleet('roundrobin', urls.slice(0, 2));
  const onBad = (fails: boolean) => {
    while (request((url) => isBad(url) && fails) !== bad);
  };
  for (let i = 0; i < 4; i++) onBad(true);
  onBad(false);
  for (let i = 0; i < 4; i++) onBad(true);
  assert.equal(core.isEjected(bad), false);
  onBad(true);
  assert.equal(core.isEjected(bad), true);
  assert.match(core.endpoint(bad)?.reason ?? '', /^ejected for 1 s: 5 failures in a row$/);
});

test('an engine that fails every other request is ejected by its share', () => {
  const { core, request } = fleet();
  let onBad = 0;
  for (let i = 0; i < 200 && !core.isEjected(bad); i++) {
    if (request((url) => isBad(url) && onBad % 2 === 0) === bad) onBad++;
  }
  assert.equal(core.isEjected(bad), true);
  assert.ok(onBad >= 10 && onBad <= 20, `${onBad} requests`);
  assert.match(
    core.endpoint(bad)?.reason ?? '',
    /^ejected for 1 s: \d+ % of its last requests failed$/,
  );
});

test('ten requests are enough for a share, and fewer are not', () => {
  const { core, request } = fleet();
  let onBad = 0;
  for (let i = 0; i < 200 && !core.isEjected(bad); i++) {
    // Never five in a row.
    if (request((url) => isBad(url) && onBad !== 4 && onBad !== 8) === bad) onBad++;
  }
  assert.equal(onBad, 10);
  assert.match(core.endpoint(bad)?.reason ?? '', /80 % of its last requests failed$/);
});

/** One request after the other, of which the engine begins each stream and breaks it off. @returns Those it met. */
function breakStreams({ clock, core }: ReturnType<typeof fleet>, progresses: boolean): number {
  let met = 0;
  for (let i = 0; i < 400 && !core.isEjected(bad); i++) {
    const ticket = core.route(requestOf(i));
    ticket.sent();
    clock.advance(0.05);
    ticket.firstByte();
    const breaks = isBad(ticket.pick.endpoint.url);
    if (breaks) met++;
    if (progresses || !breaks) ticket.progressed();
    ticket.finish({ status: breaks ? 'failed' : 'completed' });
  }
  return met;
}

test('an engine that begins each stream and breaks it off is ejected, soon or late in the stream', () => {
  const soon = fleet();
  assert.equal(breakStreams(soon, false), 5);
  assert.equal(soon.core.isEjected(bad), true);
  const late = fleet();
  // It worked before.
  for (let i = 0; i < 200; i++) late.request(never);
  const met = breakStreams(late, true);
  assert.equal(late.core.isEjected(bad), true);
  assert.ok(met <= 10, `${met} streams`);
});

test('streams that were sent before an engine began to fail do not speak for it when they end', () => {
  const { core, request } = fleet('roundrobin', urls.slice(0, 2));
  const early: Ticket[] = [];
  for (let i = 0; i < 20; i++) {
    const ticket = core.route(requestOf(i));
    ticket.sent();
    if (isBad(ticket.pick.endpoint.url)) early.push(ticket);
  }
  let met = 0;
  while (!core.isEjected(bad) && met < early.length) {
    if (request(isBad) !== bad) continue;
    const ticket = early[met++] as Ticket;
    ticket.firstByte();
    ticket.progressed();
    ticket.finish({ status: 'completed' });
    const others = new Set(['http://none']);
    if (!core.isEjected(bad)) {
      assert.notEqual(
        core.route(requestOf(100), others).pick.endpoint.url,
        bad,
        'no retry goes there',
      );
    }
  }
  assert.equal(met, 5);
});

test('a retry goes to engines that have not failed lately, while there are any', () => {
  const { core, request } = fleet();
  for (let i = 0; i < 4; i++) request((url) => url === 'http://a' || url === 'http://b');
  for (let i = 0; i < 8; i++) {
    const { url } = core.route(requestOf(i), new Set(['http://c'])).pick.endpoint;
    assert.equal(url, 'http://d');
  }
  const others = new Set(['http://c', 'http://d']);
  assert.ok(['http://a', 'http://b'].includes(core.route(requestOf(9), others).pick.endpoint.url));
});

for (const policy of policyNames) {
  test(`an engine that fails at once does not draw the traffic of ${policy}`, () => {
    const { clock, request } = fleet(policy);
    let met = 0;
    const requests = 1000;
    for (let i = 0; i < requests; i++) {
      clock.advance(0.05);
      if (request(isBad, 0.001) === bad) met++;
    }
    // The first five, and one trial after each of some pauses of 1, 2, 4, 8, 16 and 30 s.
    assert.ok(met <= 0.02 * requests, `${met} of ${requests}`);
  });
}

test('after its pause an engine gets one trial at a time, and its share after three', () => {
  const { clock, core, request } = fleet();
  while (!core.isEjected(bad)) request(isBad);
  clock.advance(1);
  const trial = core.route(requestOf(1000));
  assert.equal(trial.pick.endpoint.url, bad);
  trial.sent();
  for (let i = 0; i < 8; i++) assert.notEqual(request(never), bad);
  trial.firstByte();
  assert.notEqual(request(never), bad, 'a first byte is no success yet');
  trial.progressed();
  assert.equal(core.isEjected(bad), true);
  assert.deepEqual([request(never), request(never)], [bad, bad]);
  assert.equal(core.isEjected(bad), false);
  assert.equal(core.endpoint(bad)?.reason, 'healthy');
  const share = Array.from({ length: 8 }, () => request(never)).filter(isBad);
  assert.equal(share.length, 2);
});

test('each failed trial doubles the pause, up to 30 s', () => {
  const { clock, core, request } = fleet();
  while (!core.isEjected(bad)) request(isBad);
  for (const seconds of [2, 4, 8, 16, 30, 30]) {
    clock.advance(31);
    assert.equal(request(isBad), bad);
    assert.match(core.endpoint(bad)?.reason ?? '', new RegExp(`^ejected for ${seconds} s`));
  }
});

test('a trial whose client leaves decides nothing: the next request is the trial', () => {
  const { clock, core, request } = fleet();
  while (!core.isEjected(bad)) request(isBad);
  clock.advance(1);
  const trial = core.route(requestOf(1000));
  trial.sent();
  trial.finish({ status: 'cancelled' });
  assert.equal(request(never), bad);
});

test('at most half of a model’s engines are out, and the only engine never is', () => {
  const { core, request } = fleet();
  for (let i = 0; i < 200; i++) request(() => true, 0.001);
  assert.equal(urls.filter((url) => core.isEjected(url)).length, 2);
  const alone = fleet('roundrobin', [bad]);
  for (let i = 0; i < 50; i++) alone.request(() => true);
  assert.equal(alone.core.isEjected(bad), false);
});

test('an engine that restarted begins anew', () => {
  const { core, request } = fleet();
  while (!core.isEjected(bad)) request(isBad);
  core.endpointRestarted(bad);
  assert.equal(core.isEjected(bad), false);
});

test('the reason of an ejection by share is a rounded percentage', () => {
  const { core, request } = fleet('roundrobin', urls.slice(0, 2));
  let turn = 0;
  // Two of each three requests fail: never five in a row.
  for (let i = 0; i < 200 && !core.isEjected(bad); i++) {
    request((url) => isBad(url) && turn++ % 3 !== 0);
  }
  const { reason } = core.endpoints().find(({ url }) => url === bad) ?? {};
  assert.equal(reason, 'ejected for 1 s: 70 % of its last requests failed');
});

test('nobody knows of an engine that is not there whether it is saturated', () => {
  const { core } = fleet();
  assert.equal(core.isSaturated('http://nobody'), false);
});
