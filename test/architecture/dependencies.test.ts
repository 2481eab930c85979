// What users install with the program: how many packages, how large, and under which licences.
import assert from 'node:assert/strict';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');

/** Packages that package.json names; 9 on 2026-11-26. Each more is a decision (docs/decisions/0006-libraries.md). */
const directMax = 9;
/** All runtime packages with those that they need; 109 on 2026-11-26. */
const packagesMax = 115;
/** Size of their files in MB; 184 on 2026-11-26, of which the tokenizer's data and the Kubernetes client are 150. */
const megabytesMax = 190;

/** Licences that ask for no more than their text; all others take a decision. */
const licences: ReadonlySet<string> = new Set([
  ...['Apache-2.0', 'MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause'],
  // 0BSD and the Unlicense ask for nothing; the PSF's is BSD-like.
  ...['0BSD', 'Unlicense', 'PSF-2.0'],
]);

const advice =
  'Do without the package, choose a smaller one, or raise the bound in this test and say why in docs/decisions/0006-libraries.md.';

interface LockedPackage {
  readonly license?: string;
  readonly dev?: true;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const runtime = Object.entries(packages).filter(([path, { dev }]) => path !== '' && !dev);

test('the number of runtime packages stays within its budget', () => {
  const direct = Object.keys(packages['']?.dependencies ?? {});
  assert.ok(direct.length <= directMax, `${direct.length} direct packages. ${advice}`);
  assert.ok(runtime.length <= packagesMax, `${runtime.length} packages. ${advice}`);
});

test('the runtime packages stay within their size', () => {
  const bytes = runtime.reduce((sum, [path]) => sum + bytesIn(join(root, path)), 0);
  assert.ok(bytes > 0, 'nothing is installed');
  const megabytes = Math.round(bytes / 1e6);
  assert.ok(megabytes <= megabytesMax, `${megabytes} MB. ${advice}`);
});

test('runtime packages have licences that ask for no more than their text', () => {
  const others = runtime
    .filter(([, { license = 'none' }]) => !licences.has(license))
    .map(([path, { license }]) => `${path}: ${license}`);
  assert.deepEqual(others, []);
});

/** Size of a package's own files; those in its node_modules are packages of their own. */
function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? sum : sum + bytesIn(path);
    return entry.isFile() ? sum + lstatSync(path).size : sum;
  }, 0);
}
