// Flags that say who may use the router: their errors, and what is odd about them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { accessFrom, addAccessFlags, tenantNote } from './access-flags.ts';

function parsed(...words: string[]) {
  const quiet = { writeErr: () => undefined, outputError: () => undefined };
  const command = addAccessFlags(new Command()).exitOverride().configureOutput(quiet);
  return accessFrom(command.parse(words, { from: 'user' }).opts());
}

test('a value that is wrong is refused by the name of its flag', () => {
  assert.throws(
    () => parsed('--cache-salt-from', 'x'),
    /'--cache-salt-from <source>'.*key, header/,
  );
  assert.throws(() => parsed('--allowed-origins', '[1'), /'--allowed-origins <json>'.*in JSON/);
  assert.throws(() => parsed('--allowed-origins', '[1]'), /'--allowed-origins <json>'.*in JSON/);
});

test('salts by key need keys that differ', () => {
  const noteOf = (...words: string[]) => tenantNote(parsed(...words));
  assert.match(noteOf('--cache-salt-from', 'key', '--api-key', 'k') ?? '', /have the same key/);
  assert.match(noteOf('--cache-salt-from', 'key') ?? '', /have any key that they choose/);
  assert.equal(noteOf('--cache-salt-from', 'key', '--api-key-file', 'f'), undefined);
  assert.equal(noteOf('--cache-salt-from', 'header', '--api-key', 'k'), undefined);
  assert.equal(noteOf('--api-key', 'k'), undefined);
});
