// Ends an npm script whose npm is gone. npm passes a signal to the shell that it starts for a script, and not to what runs in
// that shell; killed by SIGKILL, it passes on nothing. Without this, `npm start &` and `kill` would leave a whole fleet.
// Plain JavaScript without modern syntax, because an old Node must run it.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Time between two looks at the parents. */
const intervalMs = 500;

/**
 * Calls `onGone` once when npm, or the shell between npm and this process, has ended. Does nothing if npm did not start this
 * process: a program that a user starts by hand may outlive its shell. Does not keep the process alive.
 *
 * @param onGone By default, this process gets SIGTERM, which it passes to its child.
 */
export function followParent(onGone = () => process.kill(process.pid, 'SIGTERM')) {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const above = process.platform === 'win32' ? undefined : parentOfShell(parent);
  const timer = setInterval(() => {
    if (process.ppid === parent && (above === undefined || isAlive(above))) return;
    clearInterval(timer);
    onGone();
  }, intervalMs);
  timer.unref();
}

/** The process that started this shell; undefined if `pid` is not a shell or cannot be read. */
function parentOfShell(pid) {
  const [parent, name] = process.platform === 'linux' ? readStat(pid) : askPs(pid);
  return /^-?(ba|da|z|k|a)?sh$/.test(name) && parent > 1 ? parent : undefined;
}

function readStat(pid) {
  try {
    // proc_pid_stat(5): pid (name) state ppid …; the name may contain spaces and parentheses.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = text.lastIndexOf(')');
    return [Number(text.slice(end + 2).split(' ')[1]), text.slice(text.indexOf('(') + 1, end)];
  } catch {
    return [0, ''];
  }
}

function askPs(pid) {
  const { stdout } = spawnSync('ps', ['-o', 'ppid=,comm=', '-p', String(pid)], { timeout: 2_000 });
  const [, parent = '0', path = ''] = /^\s*(\d+)\s+(.*\S)/.exec(String(stdout ?? '')) ?? [];
  return [Number(parent), path.slice(path.lastIndexOf('/') + 1)];
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
