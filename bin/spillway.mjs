#!/usr/bin/env node
// Launcher. Plain JavaScript without modern syntax, so that an old Node can run it far enough
// to find a newer one, or to say in one sentence that it is too old.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { passSignals, statusOf } from './pass-signals.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, 'src', 'cli', 'main.ts');
const bundle = join(root, 'dist', 'main.js');
// A clone runs its sources; a published package has only the bundle.
const entry = existsSync(source) ? source : bundle;

/** Minimum version of Node: `engines.node` in package.json. */
const leastNode = [22, 19];

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const isNewEnough = major > leastNode[0] || (major === leastNode[0] && minor >= leastNode[1]);

if (isNewEnough) {
  // Node 22 prints a warning about type stripping on every start, which is of no use to users.
  const printers = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name === 'ExperimentalWarning') return;
    for (const print of printers) print(warning);
  });
  // Compiled code is kept in the system's folder for temporary files, which makes later starts faster.
  nodeModule.enableCompileCache?.();
  try {
    await import(pathToFileURL(entry).href);
  } catch (error) {
    const isBare = entry === source && !existsSync(join(root, 'node_modules'));
    if (!isBare || error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    process.stderr.write(
      `spillway: the libraries of this clone are not installed: run "npm ci" in ${root} once, or "npm start", which does so.\n`,
    );
    process.exitCode = 1;
  }
} else {
  const newer =
    process.platform === 'linux'
      ? join(root, '.toolchain', 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
      : join(root, '.toolchain', 'node_modules', 'node', 'bin', 'node');
  if (existsSync(newer)) {
    // The child watches the pipe on descriptor 3, and so ends with this process even if that is killed.
    const child = spawn(newer, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
      stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
      env: { ...process.env, SPILLWAY_LIFELINE: '3' },
    });
    const release = passSignals(child);
    child.on('exit', (code, signal) => {
      release();
      process.exitCode = statusOf(code, signal);
    });
  } else {
    const cure = existsSync(source)
      ? 'run "npm start" once, which brings a newer one'
      : 'install a newer one';
    process.stderr.write(
      `spillway: Node ${process.versions.node} is too old, ${leastNode.join('.')} or newer is needed: ${cure}.\n`,
    );
    process.exitCode = 1;
  }
}
