import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRouterArguments, routerArgumentFault } from './argument-fault.ts';

test('arguments that the router accepts have no fault', () => {
  assert.equal(routerArgumentFault([]), undefined);
  const words = ['--log-level', 'debug', '--request-timeout=60', '--no-migration'];
  assert.equal(routerArgumentFault(words), undefined);
  assert.equal(routerArgumentFault(['--prefill-model-labels', 'a', '--log-level=info']), undefined);
});

test('a flag that the router does not have is named, with the nearest one', () => {
  assert.equal(
    routerArgumentFault(['--request-timout', '60']),
    '--request-timout is not a flag of the router; did you mean --request-timeout?',
  );
  assert.equal(
    routerArgumentFault(['--qwxyz']),
    '--qwxyz is not a flag of the router; "spillway router --help" lists them',
  );
  assert.equal(
    routerArgumentFault(['--request-timeout 60']),
    '"--request-timeout 60" is one argument with a space in it; write two items, "--request-timeout" and "60"',
  );
});

test('values are checked as the router checks them', () => {
  assert.match(routerArgumentFault(['--request-timeout', 'soon']) ?? '', /--request-timeout.*soon/);
  assert.match(routerArgumentFault(['--log-level', 'x']) ?? '', /Allowed choices are/);
  assert.match(routerArgumentFault(['--request-timeout']) ?? '', /argument missing/);
  assert.match(routerArgumentFault(['stray']) ?? '', /"stray"/);
  assert.match(routerArgumentFault(['--help']) ?? '', /print its help and end/);
});

test('words without effect are noted where they stand, in any spelling of upstream’s', () => {
  const words = ['--log-stats', '--static-model-types', 'chat', '--sentry_dsn=x', '--no-migration'];
  const { fault, notes } = readRouterArguments(words);
  assert.equal(fault, undefined);
  assert.deepEqual(
    notes.map(({ index, clause }) => [index, clause.split(':')[0]]),
    [
      [1, '--static-model-types has no effect'],
      [3, '--sentry-dsn has no effect'],
    ],
  );
});

test('behind the flags of a stack, arguments that contradict them are faults', () => {
  const stack = ['--service-discovery', 'static', '--static-backends', 'http://a'];
  assert.equal(readRouterArguments(['--log-stats'], stack).fault, undefined);
  const faultOf = (...words: string[]) => readRouterArguments(words, stack).fault ?? '';
  assert.match(faultOf('--engines-dns', 'x'), /exclude each other/);
  assert.match(faultOf('--static-aliases', 'a:b,b:c'), /"b" is an alias itself/);
  assert.match(faultOf('--admin-host', 'x'), /--admin-host needs --admin-port/);
});
