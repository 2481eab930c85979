import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routerArgumentFault } from './argument-fault.ts';

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
