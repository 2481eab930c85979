// Installs the measured libraries into a folder below the system's temporary one, because they are
// not dependencies of Spillway.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The releases that were current when this was written. */
export const versions = {
  zeromq: '6.8.0',
  msgpackr: '2.1.3',
  'prom-client': '15.1.3',
} as const;

export interface Installed {
  /** Like `require` in a file of the folder. */
  readonly load: (name: string) => unknown;
  /** Folder of the library's entry, for separate processes. */
  readonly folder: string;
  /** Size of the library with all its dependencies. */
  readonly bytes: number;
  /** Licence of the library and its dependencies, according to npm. */
  readonly license: string;
  readonly remove: () => void;
}

const installTimeoutMs = 180_000;

/**
 * Installs one library with its install scripts, as an application would.
 *
 * @throws {Error} One sentence, if the registry cannot be reached or the installation fails.
 */
export function install(name: keyof typeof versions): Installed {
  const folder = mkdtempSync(join(tmpdir(), `spillway-${name}-`));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const spec = `${name}@${versions[name]}`;
  try {
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    const options = ['--no-audit', '--no-fund', '--loglevel=error'];
    execFileSync('npm', ['install', ...options, spec], {
      ...{ cwd: folder, timeout: installTimeoutMs, stdio: 'pipe' },
    });
  } catch (cause) {
    remove();
    const { stderr = '', message } = cause as Error & { stderr?: Buffer | string };
    const reason = String(stderr).trim().split('\n').at(-1) || message;
    throw new Error(`Cannot install ${spec} from the npm registry: ${reason}`, { cause });
  }
  const require = createRequire(join(folder, 'index.js'));
  const { license } = require(join(folder, 'node_modules', name, 'package.json')) as {
    license: string;
  };
  return { load: require, folder, bytes: sizeOf(join(folder, 'node_modules')), license, remove };
}

function sizeOf(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((total, entry) => total + statSync(join(entry.parentPath, entry.name)).size, 0);
}
