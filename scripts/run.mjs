// The entry point of every npm script. Sets up what is missing (dependencies, a recent Node), then runs the task.
// Plain JavaScript, because it must start under Node 20 with nothing installed.
//
//   node scripts/run.mjs start|test|ok|format|build|docs [arguments…]
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { followParent } from './follow-parent.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

/** The Node that a clone installs if the caller's is older than 22.19: the current LTS. */
const toolchainVersion = '24.21.0';

const [task = 'help', ...args] = process.argv.slice(2);
installDependencies();
const node = modernNode();
const { tasks } = await import('./tasks.mjs');
const run = tasks[task];
if (!run) {
  process.stderr.write(`Unknown task "${task}"; known: ${Object.keys(tasks).join(', ')}.\n`);
  process.exit(2);
}
followParent();
process.exitCode = await run({ node, args, root });

/** Runs `npm ci` when node_modules does not match the lock file; a stamp makes the check cheap. */
function installDependencies() {
  const lock = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex');
  const stamp = join('node_modules', '.spillway-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  assertWritable();
  process.stderr.write('spillway: installing dependencies (once) …\n');
  npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], root);
  writeFileSync(stamp, lock);
}

/** Returns the path of a Node >= 22.19: this one, or one that is installed from the npm registry into .toolchain. */
function modernNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 19)) return process.execPath;
  const directory = join(root, '.toolchain');
  // The packages per platform contain the binary itself; the package "node" fetches it in an install script.
  const onLinux = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);
  const name = onLinux ? `node-linux-${process.arch}` : 'node';
  const executable = join(directory, 'node_modules', name, 'bin', 'node');
  if (!existsSync(executable)) {
    process.stderr.write(
      `spillway: bringing Node ${toolchainVersion} from the npm registry (once) …\n`,
    );
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'package.json'), '{"private":true}\n');
    npm(
      ['install', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${toolchainVersion}`],
      directory,
    );
  }
  return executable;
}

function assertWritable() {
  try {
    accessSync(root, constants.W_OK);
  } catch {
    process.stderr.write(
      `spillway: cannot write to ${root}, where dependencies go: copy the clone to a folder that you may write.\n`,
    );
    process.exit(1);
  }
}

function npm(npmArgs, cwd) {
  const windows = process.platform === 'win32';
  const result = spawnSync(windows ? 'npm.cmd' : 'npm', npmArgs, {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: windows,
  });
  if (result.status !== 0) {
    process.stderr.write(
      `spillway: "npm ${npmArgs.join(' ')}" failed in ${cwd}; see npm's message above.\n`,
    );
    process.exit(1);
  }
}
