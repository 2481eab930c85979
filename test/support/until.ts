// Waits in a test for something that another program, or another turn of the event loop, does.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Far beyond what a loaded machine needs, also while coverage is measured. */
const deadlineMs = 60_000;
const pollMs = 2;

/** @throws {AssertionError} If it does not hold within the deadline. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `not within ${deadlineMs / 1000} s: ${condition}`);
    await sleep(pollMs);
  }
}
