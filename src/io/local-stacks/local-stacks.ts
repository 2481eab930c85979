// Each `spillway up` leaves a file with its addresses while it runs, in a folder that only its user can read.
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A stack on this machine and its addresses. */
export interface LocalStack {
  /** Process of `spillway up`. */
  readonly pid: number;
  /** Undefined without a router. */
  readonly router: string | undefined;
  readonly page: string | undefined;
  readonly prometheus: string | undefined;
  /** File of the router's certificate, if it serves https at the address that has the views. */
  readonly certificate: string | undefined;
}

const fileName = /^up-(\d+)\.json$/;
/** Files that are read; nobody runs so many stacks. */
const stacksMax = 100;

/**
 * Lets `localStacks` find a stack of this process.
 *
 * @returns Ends that. Where the file cannot be written, the stack is not found, and nothing else happens.
 */
export function announceStack(addresses: Omit<LocalStack, 'pid'>): () => void {
  const folder = stacksFolder();
  const path = join(folder, `up-${process.pid}.json`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isOwn(folder)) return () => {};
    writeFileSync(path, JSON.stringify(addresses), { mode: 0o600 });
  } catch {
    return () => {};
  }
  return () => rmSync(path, { force: true });
}

/** The stacks of this user that run now. Files of programs that were killed are removed. */
export function localStacks(): LocalStack[] {
  const folder = stacksFolder();
  if (!isOwn(folder)) return [];
  return readdirSync(folder)
    .slice(0, stacksMax)
    .flatMap((name) => {
      const pid = Number(fileName.exec(name)?.[1]);
      if (Number.isNaN(pid)) return [];
      const path = join(folder, name);
      if (isRunning(pid)) return stackIn(path, pid) ?? [];
      rmSync(path, { force: true });
      return [];
    });
}

function stacksFolder(): string {
  return join(process.env['XDG_RUNTIME_DIR'] ?? tmpdir(), `spillway-${process.getuid?.() ?? 0}`);
}

/** Whether a folder is this user's: another user may have made one of this name. */
function isOwn(folder: string): boolean {
  try {
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid);
  } catch {
    return false;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** @returns Undefined for a file that is gone, or half written. */
function stackIn(path: string, pid: number): LocalStack | undefined {
  try {
    const read = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    const url = (value: unknown) => (typeof value === 'string' ? value : undefined);
    const { router, page, prometheus, certificate } = read;
    return {
      ...{ pid, router: url(router), page: url(page), prometheus: url(prometheus) },
      certificate: url(certificate),
    };
  } catch {
    return undefined;
  }
}
