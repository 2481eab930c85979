// The contract of a routing policy as named cases, which every policy passes: the router's, those of
// other projects, and any that is added.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { routingRequest } from '../../../test/support/routing.ts';
import { ManualClock, randomInteger, seededRandom } from '../base/index.ts';
import { createBlockHasher, KvEventLog, KvIndex, KvSequence } from '../kv/index.ts';
import { playHistory, requestNumber } from './contract-history.suite.ts';
import {
  type Endpoint,
  isAllowed,
  type ParameterValues,
  type PolicyConsumes,
  type PolicyDefinition,
  RoutingCore,
  type RoutingRequest,
} from './index.ts';

/**
 * Registers a test for each case of the contract.
 *
 * @param seed Seed of all random draws.
 */
export function testPolicyContract(policy: PolicyDefinition, seed: number): void {
  for (const [name, check] of Object.entries(cases)) {
    const skip = skips[name]?.(policy.consumes) ?? false;
    test(`${policy.name}: ${name}`, { skip }, () => check(policy, seed));
  }
}

/** Why a case does not apply to a policy that consumes this; undefined if it does. */
const skips: Readonly<Record<string, (consumes: PolicyConsumes) => string | undefined>> = {
  'returns to the engine that holds the prompt': ({ prompts, kvEvents }) =>
    prompts === undefined && kvEvents === undefined
      ? 'reads neither prompts nor KV events, so it cannot know which engine holds a prompt'
      : undefined,
};

const cases: Readonly<Record<string, (policy: PolicyDefinition, seed: number) => void>> = {
  'has the name that it declares': (policy, seed) => {
    assert.equal(policy.create({ random: seededRandom(seed) }).name, policy.name);
  },

  'can be created with every value that its parameters allow, and with no other': (
    policy,
    seed,
  ) => {
    const createWith = (parameters: ParameterValues) =>
      policy.create({ random: seededRandom(seed), parameters });
    for (const { name, min, max, default: standard } of policy.parameters) {
      for (const value of [standard, min, max]) createWith({ [name]: value });
      for (const value of [min - 1, Number.NaN, max === undefined ? -1 : max + 1]) {
        assert.throws(() => createWith({ [name]: value }), { name: 'InputError' });
      }
    }
  },

  'reads only what it declares, and everything that it requires': (policy, seed) => {
    const { prompts, kvEvents, tokens, engineReports, sessions } = policy.consumes;
    const declared = { prompts, tokens, engineReports: engineReports?.need, sessions };
    const { read, picker } = spiedPicks(policy, seed);
    for (const name of read) assert.ok(declared[name], `reads ${name}`);
    for (const [name, need] of Object.entries(declared)) {
      if (need === 'required') assert.ok(read.has(name as keyof typeof declared), `leaves ${name}`);
    }
    assert.equal(picker.readsKvEvents ?? false, kvEvents !== undefined);
    assert.equal(picker.needsTokens, tokens !== undefined);
    const without = policy.create({
      ...{ random: seededRandom(seed), kvIndex: new KvIndex(), followsKvEvents: false },
    });
    assert.equal(without.readsKvEvents ?? false, kvEvents === 'required');
    assert.equal(without.adopt !== undefined, policy.consumes.routerUpdates !== undefined);
  },

  'picks only candidates, with valid scores, while engines are added and removed': (
    policy,
    seed,
  ) => {
    fc.assert(
      fc.property(historyOf(100), fc.nat(), (history, drawn) => {
        const { core, clock } = fleetOf(policy, 6, drawn, drawnParameters(policy, drawn));
        playHistory({ core, clock, history });
      }),
      { numRuns: 30, seed },
    );
  },

  'gives the same picks for the same seed and history': (policy, seed) => {
    const run = () => {
      const { core, clock } = fleetOf(policy, 4, seed);
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
  },

  // A count of 400 draws with chance 1/4 has a standard deviation of 8.7: six of them to either side.
  'spreads unrelated requests evenly over an idle fleet of equal engines': (policy, seed) => {
    const { core, clock } = fleetOf(policy, 4, seed);
    const counts = new Map<string, number>();
    for (let i = 0; i < 400; i++) {
      clock.advance(1);
      const prompt = `${seed} ${i} `.repeat(200);
      const { url } = serve(core, clock, routingRequest(prompt, { session: `${seed} ${i}` }));
      counts.set(url, (counts.get(url) ?? 0) + 1);
    }
    for (const count of counts.values()) assert.ok(count > 48 && count < 152, `${count} of 400`);
    assert.equal(counts.size, 4);
  },

  'returns to the engine that holds the prompt': (policy, seed) => {
    const { core, clock, request, holder, counted } = warmFleet(policy, seed);
    for (let i = 0; i < 8; i++) {
      clock.advance(60);
      const pick = serve(core, clock, request);
      assert.equal(pick.url, holder);
      assert.ok(pick.cachedTokens > request.promptTokens / 2, `${pick.cachedTokens} cached`);
    }
    assert.ok(counted === 0, `${counted} tokens were assumed to be cached before they were sent`);
  },

  'forgets what an engine held when it restarts': (policy, seed) => {
    const { core, clock, index, request, holder } = warmFleet(policy, seed);
    core.endpointRestarted(holder);
    index.removeEngine(holder);
    clock.advance(60);
    const only = new Set(core.endpoints().map(({ url }) => url));
    only.delete(holder);
    const { pick } = core.route(request, only);
    assert.deepEqual([pick.endpoint.url, pick.cachedTokens], [holder, 0]);
  },
};

function historyOf(eventsMax: number) {
  const event = fc.tuple(
    fc.constantFrom(
      ...(['route', 'retry', 'remove', 'add', 'restart', 'kill', 'revive', 'report'] as const),
      ...(['heardSent', 'heardFirstByte', 'heardFinished', 'forget'] as const),
    ),
    fc.nat(5),
    fc.nat(400),
  );
  return fc.array(event, { maxLength: eventsMax });
}

/** A core over so many live engines, e0, e1, …, and the index that its policy reads. */
function fleetOf(
  policy: PolicyDefinition,
  engines: number,
  seed: number,
  parameters: ParameterValues = {},
) {
  const clock = new ManualClock();
  const index = new KvIndex();
  const picker = policy.create({ random: seededRandom(seed), kvIndex: index, parameters });
  const core = new RoutingCore({ policy: picker, clock });
  for (let i = 0; i < engines; i++) core.addEndpoint({ url: `http://e${i}`, models: ['m'] });
  return { core, clock, index };
}

/** Each parameter at its default, its least value, or somewhere above. */
function drawnParameters({ parameters }: PolicyDefinition, seed: number): ParameterValues {
  const random = seededRandom(seed);
  return Object.fromEntries(
    parameters.map((parameter) => {
      const { name, min, max = min + 10_000, default: standard } = parameter;
      const value = [standard, min, min + randomInteger(random, Math.floor(max - min) + 1)][
        randomInteger(random, 3)
      ];
      return [name, value !== undefined && isAllowed(parameter, value) ? value : standard];
    }),
  );
}

/** Sends a request to the engine that the policy picks, and completes it. */
function serve(core: RoutingCore, clock: ManualClock, request: RoutingRequest) {
  const ticket = core.route(request);
  ticket.sent();
  clock.advance(0.1);
  ticket.firstByte();
  ticket.finish({ status: 'completed' });
  return { url: ticket.pick.endpoint.url, cachedTokens: ticket.pick.cachedTokens };
}

/** Four idle engines, one of which has served a prompt and announced its blocks. */
function warmFleet(policy: PolicyDefinition, seed: number) {
  const { core, clock, index } = fleetOf(policy, 4, seed);
  const random = seededRandom(seed);
  const tokens = Uint32Array.from({ length: 2048 }, () => randomInteger(random, 100_000));
  const text = Array.from(tokens, (token) => (token % 10_000).toString().padStart(4)).join('');
  const request = routingRequest(text, { tokens, session: `${seed}` });
  const { url: holder, cachedTokens: counted } = serve(core, clock, request);
  index.apply(holder, announced(tokens));
  return { core, clock, index, request, holder, counted };
}

/** The KV events of an engine that computed the prompt. */
function announced(tokens: Uint32Array) {
  const blockSize = 16;
  const log = new KvEventLog();
  const sequence = new KvSequence(createBlockHasher(), blockSize, tokens, {});
  log.blocksStored(sequence, 0, tokens.length / blockSize);
  return log.take();
}

/** What a policy reads of requests and engines while it picks and receives the outcomes. */
function spiedPicks(policy: PolicyDefinition, seed: number) {
  const read = new Set<'prompts' | 'tokens' | 'sessions' | 'engineReports'>();
  const index = new KvIndex();
  const tokens = Uint32Array.from({ length: 512 }, (_, i) => i);
  index.apply('http://e0', announced(tokens));
  const picker = policy.create({ random: seededRandom(seed), kvIndex: index });
  const load = { inflight: 0, prefilling: 0, prefillTokens: 0, decodeTokens: 0 };
  const reported = { atSeconds: 0, running: 1, waiting: 1, kvUsage: 0.5 };
  const engines = ['http://e0', 'http://e1'].map(
    (url): Endpoint => ({
      ...{ url, models: ['m'], load },
      get reported() {
        read.add('engineReports');
        return reported;
      },
    }),
  );
  const plain = routingRequest('text '.repeat(400));
  for (let i = 0; i < 20; i++) {
    const request: RoutingRequest = {
      ...{ ...plain, id: `${i}` },
      get prompt() {
        read.add('prompts');
        return plain.prompt;
      },
      get tokens() {
        read.add('tokens');
        return tokens;
      },
      get session() {
        read.add('sessions');
        return `s${i}`;
      },
    };
    const pick = picker.pick(request, engines, i);
    picker.onSent?.(request, pick, i);
    picker.onReport?.(pick.endpoint, i);
    picker.onFirstByte?.(request, pick, 0.1, i + 0.1);
    picker.onFinish?.(request, pick, { status: 'completed', cachedTokens: 16 }, i + 0.2);
  }
  return { read, picker };
}
