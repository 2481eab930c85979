// Flags of the parameters of policies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { policyParameters } from '../core/routing/index.ts';
import {
  addPolicyFlags,
  givenPolicyFlag,
  policyParametersFrom,
  unusedFlagText,
} from './policy-flags.ts';

function parsed(...args: readonly string[]): object {
  return addPolicyFlags(new Command('test')).parse(args, { from: 'user' }).opts();
}

test('every parameter has a flag that names its policy, what it does, its unit and its default', () => {
  const help = addPolicyFlags(new Command('test'))
    .configureHelp({ helpWidth: 500 })
    .helpInformation()
    .replace(/ +/g, ' ');
  for (const { flag, unit, policy, help: clause } of policyParameters) {
    assert.ok(help.includes(`${flag} <${unit}> ${policy}: ${clause}`), help);
  }
  assert.match(
    help,
    /--prefix-min-match-length <bytes> .*shorter ones are ignored \(default: 0\)\n/,
  );
  assert.match(help, /--kv-aware-threshold <tokens> .*only load decides\n/);
});

test('a flag sets the parameter of its name, and parameters that are not given have no value', () => {
  const none = policyParametersFrom(parsed());
  assert.deepEqual(
    Object.entries(none),
    policyParameters.map(({ name }) => [name, undefined]),
  );
  assert.equal(givenPolicyFlag(parsed()), undefined);
  const options = parsed('--prefix-min-match-length', '128');
  assert.deepEqual(policyParametersFrom(options), { ...none, prefixMinMatchLength: 128 });
  assert.equal(givenPolicyFlag(options), '--prefix-min-match-length');
});

test('refuses a value that is not allowed, and lists what is', () => {
  for (const text of ['-1', '1.5', '', 'x', '1e3', '0x10', '9007199254740992']) {
    assert.throws(() => parsed(`--kv-aware-threshold=${text}`), {
      name: 'InputError',
      message: `--kv-aware-threshold takes a whole number of at least 0, not "${text}".`,
    });
  }
});

test('says that a flag of another policy has no effect', () => {
  const parameter = policyParameters.find(({ name }) => name === 'kvAwareThreshold');
  assert.equal(
    parameter && unusedFlagText(parameter, '--routing-logic', 'predictive'),
    '--kv-aware-threshold has no effect: it is a parameter of kvaware, and --routing-logic is predictive.',
  );
});
