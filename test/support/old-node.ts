// A Node that is too old for Spillway, if there is one on the PATH: the launcher then starts a newer one.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const toolchain = join(import.meta.dirname, '../../.toolchain');

/**
 * The first `node` on the PATH that is older than 22.19, the oldest that runs Spillway. None in a clone that was set up
 * by a newer Node only: there is nothing that the launcher could start instead.
 */
export function oldNode(): string | undefined {
  if (!existsSync(toolchain)) return undefined;
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'node'))
    .find((path) => existsSync(path) && isOld(path));
}

function isOld(path: string): boolean {
  try {
    const version = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' });
    const [major = 0, minor = 0] = version.split('.').map(Number);
    return major >= 18 && (major < 22 || (major === 22 && minor < 19));
  } catch {
    // A shim without a version of Node behind it.
    return false;
  }
}
