import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { findProgram } from './index.ts';

test('finds the first executable file of a name on the PATH, or the one at a path', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-programs-'));
  context.after(() => rmSync(folder, { recursive: true }));
  for (const [name, mode] of [
    ['tool', 0o755],
    ['text', 0o644],
  ] as const) {
    writeFileSync(join(folder, name), '#!/bin/sh\n');
    chmodSync(join(folder, name), mode);
  }
  mkdirSync(join(folder, 'folder'));
  const path = ['/no/such', folder].join(delimiter);
  assert.equal(findProgram('tool', path), join(folder, 'tool'));
  assert.equal(findProgram(join(folder, 'tool'), undefined), join(folder, 'tool'));
  for (const missing of ['other', 'text', 'folder', join(folder, 'text'), './tool']) {
    assert.equal(findProgram(missing, path), undefined, missing);
  }
  assert.equal(findProgram('tool', undefined), undefined);
});
