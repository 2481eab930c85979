import assert from 'node:assert/strict';
import { test } from 'node:test';
import { interruptedText } from './interrupted.ts';

const stack = { namespace: 'n', release: 'r' };
const textOf = (...statuses: readonly string[]) =>
  interruptedText(
    stack,
    statuses.map((status, i) => ({ revision: i + 1, status })),
  );

test('what an interrupted deployment has left is said, and how to go on', () => {
  assert.equal(textOf(), 'interrupted: Helm has recorded no release r.');
  assert.equal(
    textOf('deployed'),
    'interrupted: release r is deployed (revision 1), and its pods go on starting: "spillway status -n n --release r" shows them.',
  );
  assert.equal(
    textOf('failed'),
    'interrupted: release r is failed (revision 1). The same "spillway deploy" goes on, with --rollback it undoes what does not serve; "spillway teardown -n n --release r" removes it.',
  );
  assert.equal(
    textOf('pending-install'),
    'interrupted: release r is pending-install (revision 1). It blocks the next deployment: "spillway teardown -n n --release r" removes it.',
  );
  assert.equal(
    textOf('superseded', 'deployed', 'failed', 'pending-upgrade'),
    'interrupted: release r is pending-upgrade (revision 4). It blocks the next deployment: "helm rollback r 2 -n n" goes back to revision 2.',
  );
});
