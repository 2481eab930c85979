import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routingRequest } from '../../../../../test/support/routing.ts';
import { ManualClock, seededRandom } from '../../../base/index.ts';
import type { Endpoint } from '../../contract.ts';
import { RoutingCore } from '../../routing-core.ts';
import { FleetSpeeds } from './fleet-speeds.ts';
import { PredictivePolicy } from './predictive.ts';

const engine = (...models: string[]) => ({ models }) as unknown as Endpoint;

test('engines of one model, with or without adapters, have one speed, and another model another', () => {
  const speeds = new FleetSpeeds();
  assert.equal(speeds.of(engine('a')), speeds.of(engine('a', 'adapter')));
  assert.notEqual(speeds.of(engine('a')), speeds.of(engine('b')));
  assert.equal(speeds.of(engine()), speeds.of(engine()));
});

test('beyond a thousand models, further ones share a speed', () => {
  const speeds = new FleetSpeeds();
  for (let i = 0; i < 1024; i++) speeds.of(engine(`model-${i}`));
  assert.equal(speeds.of(engine('one')), speeds.of(engine('another')));
  assert.equal(speeds.of(engine('one')), speeds.of(engine()));
  assert.notEqual(speeds.of(engine('model-0')), speeds.of(engine('model-1')));
});

test('a new engine is expected to be as fast as the others of its model', () => {
  const clock = new ManualClock();
  const core = new RoutingCore({ policy: new PredictivePolicy(seededRandom(1)), clock });
  for (const model of ['small', 'large']) {
    for (const number of [1, 2]) core.addEndpoint({ url: `${model}-${number}`, models: [model] });
  }
  const request = (model: string, i: number) =>
    routingRequest(`${model} ${i} `.repeat(1000).slice(0, 4000), { model });
  for (let i = 0; i < 100; i++) {
    for (const [model, seconds] of [
      ['small', 0.02],
      ['large', 1],
    ] as const) {
      const ticket = core.route(request(model, i));
      ticket.sent();
      clock.advance(seconds);
      ticket.firstByte();
      ticket.finish({ status: 'completed' });
    }
  }
  const predicted = (model: string) => {
    core.addEndpoint({ url: `${model}-new`, models: [model] });
    const { reason } = core.route({ ...request(model, 1000), pinnedUrl: `${model}-new` }).pick;
    return Number(/predicted in ([\d.]+) s/.exec(reason)?.[1]);
  };
  const [small, large] = [predicted('small'), predicted('large')];
  assert.ok(small < 0.04 && large > 0.7, `${small} s and ${large} s`);
});
