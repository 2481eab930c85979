import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostActions, isNothing } from './host-actions.ts';
import {
  type HostFile,
  type InstalledRelease,
  parseInstalled,
  recordFile,
} from './release-files.ts';

const service = (name: string) => ({
  ...{ unit: `spillway-r-${name}.service`, name, component: `engine ${name}` },
  ...{ role: 'engine' as const, healthUrl: `http://127.0.0.1/${name}` },
});
const unitFile = (name: string, text: string): HostFile => ({
  ...{ path: `/etc/systemd/system/spillway-r-${name}.service`, mode: '644', text },
});
const environmentFile = (name: string, text: string): HostFile => ({
  ...{ path: `/etc/spillway/r/spillway-r-${name}.env`, mode: '600', text },
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
  assert.deepEqual(actions.restart, ['spillway-r-a.service', 'spillway-r-b.service']);
});

test('what is no longer wanted goes: the unit and its files', () => {
  const before = installed(wanted({ a: ['1', 'x'], b: ['2', 'y'] }));
  const actions = hostActions(before, wanted({ a: ['1', 'x'] }));
  assert.deepEqual(actions.removeUnits, ['spillway-r-b.service']);
  assert.deepEqual(actions.removeFiles.toSorted(), [
    '/etc/spillway/r/spillway-r-b.env',
    '/etc/systemd/system/spillway-r-b.service',
  ]);
});

test('after an upgrade that ended early, all units are started again', () => {
  const stack = wanted({ a: ['1', 'x'], b: ['2', 'y'] });
  const before = installed(stack);
  const early = { ...before, record: before.record && { ...before.record, isComplete: false } };
  assert.deepEqual(hostActions(early, stack).restart, [
    'spillway-r-a.service',
    'spillway-r-b.service',
  ]);
});

test("units of another release whose name begins alike are not this release's", () => {
  const text = [
    ...wanted({ a: ['1', 'x'] }).files,
    { path: '/etc/systemd/system/spillway-r-2-a.service', text: 'other' },
  ]
    .map(({ path, text }) => `file ${path} ${btoa(text)}`)
    .join('\n');
  assert.ok(
    !parseInstalled(text, 'h', 'r').files.has('/etc/systemd/system/spillway-r-2-a.service'),
  );
});
