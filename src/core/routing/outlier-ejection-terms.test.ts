// When engines are ejected, forgiven and suspected, to the request and the second.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndpointRecord } from './endpoint-record.ts';
import { OutlierEjection } from './outlier-ejection.ts';

/** Engines, and the ends of requests to the first of them. */
function engines(count = 4) {
  const ejection = new OutlierEjection();
  const all = Array.from(
    { length: count },
    (_, i) => new EndpointRecord(`http://${'abcd'.charAt(i)}`, ['m'], 'live', 'added'),
  );
  const bad = all[0] as EndpointRecord;
  const fails = (atSeconds = 0, isTrial = false) =>
    ejection.failed(bad, { isTrial, countsAs: 'failed' }, all, atSeconds);
  const succeeds = (atSeconds = 0, isTrial = false) => {
    const failuresBefore = ejection.failuresOf(bad);
    ejection.succeeded(bad, { isTrial, failuresBefore, sentAtSeconds: atSeconds }, atSeconds);
  };
  /** Ejects the engine at second 0, and lets it succeed in its trials then. */
  const readmittedAt = (atSeconds: number) => {
    ejection.eject(bad, all, 0, 'test');
    for (let trial = 0; trial < 3; trial++) succeeds(atSeconds, true);
    assert.equal(ejection.isEjected(bad), false);
  };
  return { ejection, all, bad, fails, succeeds, readmittedAt };
}

test('a share of failures is one over the last twenty requests, each of which weighs a twentieth', () => {
  const { ejection, bad, fails, succeeds } = engines();
  fails();
  for (let i = 0; i < 19; i++) succeeds();
  let requests = 0;
  while (!ejection.isEjected(bad) && requests < 100) {
    // Never five in a row.
    if (++requests % 4 === 0) succeeds();
    else fails();
  }
  assert.equal(requests, 19);
  assert.equal(bad.reason, 'ejected for 1 s: 51 % of its last requests failed');
});

test('an engine that has served for a minute begins with the first pause again, one second less is not enough', () => {
  for (const [afterSeconds, pause] of [
    [59, 2],
    [60, 1],
  ] as const) {
    const { ejection, all, bad, readmittedAt } = engines();
    readmittedAt(10);
    ejection.eject(bad, all, 10 + afterSeconds, 'again');
    assert.equal(bad.reason, `ejected for ${pause} s: again`);
  }
});

test('the failures of an engine are forgotten once it has served for a minute and few of its last requests failed', () => {
  const rememberedAfter = (successes: number, afterSeconds: number) => {
    const { ejection, bad, fails, succeeds, readmittedAt } = engines();
    readmittedAt(10);
    fails(10);
    for (let i = 1; i < successes; i++) succeeds(10);
    succeeds(10 + afterSeconds);
    return ejection.failuresOf(bad);
  };
  assert.equal(rememberedAfter(30, 60), 0);
  assert.equal(rememberedAfter(30, 59), 1, 'too soon');
  assert.equal(rememberedAfter(10, 60), 1, 'too many of them failed');
});

test('while no engine is out or suspected, the candidates stay the same list', () => {
  const { ejection, all, bad, fails, readmittedAt } = engines();
  const isSame = (mayTry: boolean) => ejection.admitted(all, 10, mayTry) === all;
  assert.deepEqual([isSame(true), isSame(false)], [true, true]);
  ejection.eject(bad, all, 0, 'test');
  assert.equal(isSame(true), false);
  ejection.forget(bad);
  assert.deepEqual([isSame(true), isSame(false)], [true, true]);
  readmittedAt(5);
  assert.equal(isSame(true), true);
  fails(6);
  assert.equal(isSame(true), true, 'a failure alone ejects nothing');
  assert.equal(ejection.failuresOf(bad), 1);
  assert.equal(ejection.failuresOf(all[1] as EndpointRecord), 0);
});

test('the engines that are left keep their order, even if it is a single one', () => {
  const { ejection, all, bad } = engines();
  const [a, b, c, d] = all as [EndpointRecord, EndpointRecord, EndpointRecord, EndpointRecord];
  ejection.eject(bad, all, 0, 'test');
  assert.deepEqual(ejection.admitted(all, 0, true), [b, c, d]);
  assert.deepEqual(ejection.admitted([a, c], 0, true), [c]);
  assert.deepEqual(ejection.admitted([a], 0, true), [a], 'an ejected engine is better than none');
});

test('a retry avoids an engine that failed at a peer for ten seconds, and forgets it then', () => {
  const { ejection, all, bad, succeeds } = engines();
  const meets = (atSeconds: number) => ejection.admitted(all, atSeconds, false).includes(bad);
  ejection.failedElsewhere(bad, 5);
  assert.equal(meets(15), false);
  assert.equal(ejection.admitted(all, 15, true), all, 'other requests may go there');
  assert.equal(meets(15.1), true);
  assert.equal(ejection.admitted(all, 15.1, false), all, 'nothing is left of it');
  ejection.failedElsewhere(bad, 20);
  ejection.succeededElsewhere(bad, 20);
  assert.equal(meets(20), false, 'it was sent no later than it failed');
  ejection.succeededElsewhere(bad, 20.1);
  assert.equal(meets(20.2), true);
  ejection.failedElsewhere(bad, 25);
  succeeds(25.1);
  assert.equal(meets(25.2), true, 'it has served a request of our own');
  ejection.failedElsewhere(bad, 30);
  ejection.forget(bad);
  assert.equal(meets(30), true, 'it has restarted');
});

test('a pause is over at its last second, and begins anew with a trial that fails', () => {
  const { ejection, all, bad, fails } = engines();
  ejection.eject(bad, all, 0, 'test');
  assert.equal(ejection.picked(bad, 0.9), false);
  assert.deepEqual([ejection.picked(bad, 1), ejection.picked(bad, 1)], [true, false]);
  assert.equal(ejection.admitted(all, 1, true).includes(bad), false, 'its trial is under way');
  fails(1);
  assert.equal(bad.reason, 'ejected for 1 s: test', 'a failure of an earlier request');
  fails(1, true);
  assert.equal(bad.reason, 'ejected for 2 s: its trial request failed');
  assert.deepEqual([ejection.picked(bad, 2.9), ejection.picked(bad, 3)], [false, true]);
});

test('an ejected engine is not ejected again, and only trials end its ejection', () => {
  const { ejection, all, bad, succeeds } = engines();
  ejection.eject(bad, all, 0, 'first');
  ejection.eject(bad, all, 0.5, 'second');
  assert.equal(bad.reason, 'ejected for 1 s: first');
  for (let i = 0; i < 5; i++) succeeds(2);
  assert.equal(ejection.isEjected(bad), true);
});

test('half of the engines may be out, and not one more', () => {
  const { ejection, all } = engines(3);
  for (const engine of all) ejection.eject(engine, all, 0, 'test');
  assert.deepEqual(
    all.map((engine) => ejection.isEjected(engine)),
    [true, false, false],
  );
});

test('a share of exactly a half ejects an engine, once there are ten requests', () => {
  const { ejection, bad, fails, succeeds } = engines();
  // The moving average of these ten is 0.5 without a rounding error.
  for (const end of 'fssfsfsfs') {
    if (end === 'f') fails();
    else succeeds();
  }
  assert.equal(ejection.isEjected(bad), false);
  fails();
  assert.equal(ejection.isEjected(bad), true);
});

test('a stream that is broken off counts twice, to make up for the success that it had counted as', () => {
  const { ejection, all, bad, fails, succeeds } = engines();
  for (const end of 'fsfsfsfsssf') {
    if (end === 'f') fails();
    else succeeds();
  }
  assert.equal(ejection.isEjected(bad), false);
  ejection.failed(bad, { isTrial: false, countsAs: 'broken off' }, all, 0);
  // Seven of thirteen, rounded.
  assert.equal(bad.reason, 'ejected for 1 s: 54 % of its last requests failed');
});

test('a failed trial starts the count of trials again', () => {
  const { ejection, all, bad, fails, succeeds } = engines();
  ejection.eject(bad, all, 0, 'test');
  for (const end of 'ssfss') {
    if (end === 'f') fails(1, true);
    else succeeds(1, true);
  }
  assert.equal(ejection.isEjected(bad), true);
  succeeds(1, true);
  assert.equal(ejection.isEjected(bad), false);
});
