// The help in a real terminal.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { inTerminal, noTerminal } from '../support/terminal.ts';

const launcher = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');

test('help is as wide as the terminal, here 100 columns', { skip: noTerminal }, async () => {
  const { screen, status } = await inTerminal(`${process.execPath} ${launcher} router --help`);
  assert.equal(status, 0);
  const widths = screen.split('\r\n').map(({ length }) => length);
  assert.ok(Math.max(...widths) <= 100 && Math.max(...widths) > 90, `${Math.max(...widths)}`);
});
