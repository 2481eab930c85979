// Passes signals from a program to the one that it runs in its place: for the launcher and npm's scripts.
// Plain JavaScript without modern syntax, because an old Node must run it.
import { constants } from 'node:os';

const names = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** How long the child may take to acknowledge that it got the same signal. */
const graceMs = 300;

/** Signals of one name within this time are one request: npm and the terminal both send SIGINT. */
const sameRequestMs = 500;

/**
 * Keeps this process alive until the child ends, and passes on each signal that only this process got.
 * A terminal sends Ctrl-C to both; a second SIGINT would mean to the child that the user is in a hurry.
 * The child writes the name of each signal that it gets to the pipe on descriptor 3, if there is one
 * (src/io/lifeline). A child that does not acknowledge a signal gets it after 0.3 s, unless it has ended.
 *
 * @param child Of `spawn`.
 * @param onSignal Runs on each signal.
 * @returns Ends this.
 */
export function passSignals(child, onSignal = () => {}) {
  const received = new Map();
  const timers = new Map();
  const hasReceived = (name) => performance.now() - (received.get(name) ?? -1e9) < sameRequestMs;
  const pass = (name) => {
    onSignal(name);
    // Every program of a Windows console gets Ctrl-C, and `kill` would end the child at once.
    if (process.platform === 'win32' && name === 'SIGINT') return;
    if (hasReceived(name) || timers.has(name)) return;
    const timer = setTimeout(() => {
      timers.delete(name);
      if (!hasReceived(name)) child.kill(name);
    }, graceMs);
    timers.set(name, timer);
  };
  for (const name of names) process.on(name, pass);
  const pipe = child.stdio[3];
  if (pipe) {
    pipe.on('error', () => {});
    pipe.setEncoding('utf8');
    pipe.on('data', (text) => {
      for (const name of text.split('\n')) received.set(name, performance.now());
    });
  }
  return () => {
    for (const timer of timers.values()) clearTimeout(timer);
    for (const name of names) process.off(name, pass);
  };
}

/** Returns the exit status for a child that has ended, as in shells. */
export function statusOf(code, signal) {
  return signal ? 128 + constants.signals[signal] : (code ?? 1);
}
