import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hostActions, isNothing } from './host-actions.ts';
import {
  type HostFile,
  type InstalledRelease,
  parseInstalled,
  recordFile,
  unitName,
} from './release-files.ts';

const service = (name: string) => ({
  ...{ unit: `spillway-r_${name}.service`, name, component: `engine ${name}` },
  ...{ role: 'engine' as const, healthUrl: `http://127.0.0.1/${name}` },
});
const unitFile = (name: string, text: string): HostFile => ({
  ...{ path: `/etc/systemd/system/spillway-r_${name}.service`, mode: '644', text },
});
const environmentFile = (name: string, text: string): HostFile => ({
  ...{ path: `/etc/spillway/r/spillway-r_${name}.env`, mode: '600', text },
});

function wanted(names: Readonly<Record<string, readonly [unit: string, environment: string]>>) {
  const services = Object.keys(names).map(service);
  const record = {
    release: 'r',
    revision: 1,
    isComplete: true,
    hosts: ['h'],
    routerUrl: undefined,
    services,
  };
  const files = Object.entries(names).flatMap(([name, [unit, environment]]) => [
    environmentFile(name, environment),
    unitFile(name, unit),
  ]);
  return { services, files: [...files, recordFile(record)] };
}

/** A host that has a stack, as its files tell. */
function installed({ files }: ReturnType<typeof wanted>): InstalledRelease {
  const text = files.map(({ path, text }) => `file ${path} ${btoa(text)}`).join('\n');
  return parseInstalled(text, 'h', 'r');
}

test('a host that has what is wanted needs nothing', () => {
  const stack = wanted({ a: ['1', 'x'], b: ['2', 'y'] });
  const actions = hostActions(installed(stack), stack);
  assert.ok(isNothing(actions));
  assert.deepEqual(actions.restart, []);
});

test('a unit is started again if its file or its variables change, and others are not', () => {
  const before = installed(wanted({ a: ['1', 'x'], b: ['2', 'y'], c: ['3', 'z'] }));
  const actions = hostActions(before, wanted({ a: ['new', 'x'], b: ['2', 'new'], c: ['3', 'z'] }));
  assert.deepEqual(actions.restart, ['spillway-r_a.service', 'spillway-r_b.service']);
});

test('what is no longer wanted goes: the unit and its files', () => {
  const before = installed(wanted({ a: ['1', 'x'], b: ['2', 'y'] }));
  const actions = hostActions(before, wanted({ a: ['1', 'x'] }));
  assert.deepEqual(actions.removeUnits, ['spillway-r_b.service']);
  assert.deepEqual(actions.removeFiles.toSorted(), [
    '/etc/spillway/r/spillway-r_b.env',
    '/etc/systemd/system/spillway-r_b.service',
  ]);
});

test('after an upgrade that ended early, all units are started again', () => {
  const stack = wanted({ a: ['1', 'x'], b: ['2', 'y'] });
  const before = installed(stack);
  const early = { ...before, record: before.record && { ...before.record, isComplete: false } };
  assert.deepEqual(hostActions(early, stack).restart, [
    'spillway-r_a.service',
    'spillway-r_b.service',
  ]);
});

test('no unit of one release has the name of a unit of another one', () => {
  assert.notEqual(unitName('vllm', 'a-router'), unitName('vllm-a', 'router'));
  const release = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?$/);
  const service = fc.stringMatching(/^[a-z0-9_. -]{1,8}$/);
  fc.assert(
    fc.property(release, release, service, service, (one, other, a, b) => {
      fc.pre(one !== other);
      assert.notEqual(unitName(one, a), unitName(other, b));
    }),
  );
});

test('units that the record does not have are not of this release', () => {
  const text = [
    ...wanted({ a: ['1', 'x'] }).files,
    { path: '/etc/systemd/system/spillway-r_by-hand.service', text: 'other' },
  ]
    .map(({ path, text }) => `file ${path} ${btoa(text)}`)
    .join('\n');
  const { files } = parseInstalled(text, 'h', 'r');
  assert.ok(!files.has('/etc/systemd/system/spillway-r_by-hand.service'));
});

test('units that had other names go, with their files', () => {
  const stack = wanted({ a: ['1', 'x'] });
  const before = installed(stack);
  const [first] = before.record?.services ?? [];
  assert.ok(before.record && first);
  const record = { ...before.record, services: [{ ...first, unit: 'spillway-r-a.service' }] };
  const actions = hostActions({ files: new Map(), record }, stack);
  assert.deepEqual(actions.removeUnits, ['spillway-r-a.service']);
  assert.deepEqual(actions.removeFiles, ['/etc/systemd/system/spillway-r-a.service']);
});
