// A simulated fleet whose number of engines changes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FleetReading } from '../scaler/index.ts';
import type { SimulatedRequest } from './fleet-options.ts';
import { fleetOf, simulatedAdmission, simulateFleet, traceBlockTokens } from './index.ts';

/** Requests of 4,096 tokens and 64 tokens of output, from a time on. */
function steady(perSecond: number, seconds: number, from = 0): SimulatedRequest[] {
  return Array.from({ length: Math.floor(perSecond * seconds) }, (_, i) => ({
    arrivalSeconds: from + i / perSecond,
    promptTokens: 4096,
    outputTokens: 64,
    blockIds: Array.from({ length: 8 }, (_, block) => 8 * i + block),
  }));
}

/** Runs with as many engines as a list says, look for look; the last one stays. */
function scaled(
  requests: readonly SimulatedRequest[],
  wanted: readonly number[],
  more: { readonly startEngines?: number; readonly holds?: boolean } = {},
) {
  const readings: FleetReading[] = [];
  const scaler = {
    decide(reading: FleetReading) {
      readings.push(reading);
      return wanted[Math.min(readings.length, wanted.length) - 1] as number;
    },
  };
  const result = simulateFleet({
    ...{ requests, engines: fleetOf({ engines: 8 }), traceBlockTokens, policy: 'predictive' },
    admission: more.holds
      ? simulatedAdmission({
          ...{ queueTimeout: 0, saturationWait: 2, holdTimeout: 120, maxQueuedRequests: 1000 },
        })
      : undefined,
    scaling: { scaler, startEngines: more.startEngines ?? 4, startupSeconds: 30 },
  });
  return { result, readings };
}

const failures = (failed: Uint8Array) => failed.reduce((sum, one) => sum + one, 0);

test('a fleet that goes from 4 to 6 to 3 engines loses no request', () => {
  const { result, readings } = scaled(steady(4, 300), [4, 6, 6, 6, 6, 6, 6, 3]);
  assert.equal(failures(result.failed), 0);
  assert.ok(result.e2eSeconds.every((seconds) => seconds > 0));
  assert.deepEqual([result.scaling?.started, result.scaling?.stopped], [2, 3]);
  // The second look starts two, which serve 30 s later.
  assert.deepEqual(
    readings.slice(1, 5).map(({ ready, starting }) => [ready, starting]),
    [
      [4, 0],
      [4, 2],
      [6, 0],
      [6, 0],
    ],
  );
});

test('an engine counts from its start to the end of its last request', () => {
  const { result } = scaled(steady(1, 120), [4, 4, 4, 2]);
  const { seconds, scaling } = result;
  // Two engines all the time, two for the first minute and until the look after they are empty.
  const engineSeconds = scaling?.engineSeconds ?? 0;
  assert.ok(Math.abs(engineSeconds - (2 * seconds + 2 * 75)) < 1, `${engineSeconds}`);
});

test('a stopped engine finishes its streams, and gets nothing new', () => {
  const { result } = scaled(steady(6, 120), [4, 1]);
  assert.equal(failures(result.failed), 0);
  const late = Array.from(result.engineOf).filter((_, i) => {
    return (result.arrivalSeconds[i] as number) > 31;
  });
  assert.equal(new Set(late).size, 1);
});

test('without an engine requests are held, and served when one has started', () => {
  const requests = steady(1, 20, 100);
  const { result, readings } = scaled(requests, [0, 0, 0, 0, 0, 0, 1], {
    ...{ startEngines: 0, holds: true },
  });
  assert.equal(failures(result.failed), 0);
  assert.ok(readings.some(({ held, ready }) => held > 0 && ready === 0));
  // Arrived at 100 s; the look at 105 s starts an engine, which serves at 135 s.
  assert.ok((result.ttftSeconds[0] as number) > 35);
  assert.ok((result.ttftSeconds[0] as number) < 40);
});

test('readings have what upstream’s metrics say', () => {
  const { readings } = scaled(steady(4, 120), [4]);
  const last = readings.at(-1) as FleetReading;
  assert.equal(last.arrived, 480);
  assert.ok(last.prefilled > 470 && last.prefillSeconds / last.prefilled < 1);
  assert.ok(readings.some(({ running }) => running > 0));
  assert.ok(readings.every(({ kvUsage }) => kvUsage >= 0 && kvUsage < 1));
});
