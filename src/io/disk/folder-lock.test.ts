import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { lockFolder, lockName } from './folder-lock.ts';

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-lock-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A process that has locked the folder. */
async function holder(t: TestContext, folder: string) {
  const module = join(import.meta.dirname, 'folder-lock.ts');
  const script = `(await import(${JSON.stringify(module)})).lockFolder(${JSON.stringify(folder)}).then(() => console.log('locked')); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

test('a folder is locked until it is released, also for the same process', async (t) => {
  const folder = join(folderFor(t), 'a/b');
  const lock = await lockFolder(folder);
  await assert.rejects(lockFolder(folder), new RegExp(`is in use by process ${process.pid}: `));
  lock.release();
  lock.release();
  assert.deepEqual(readdirSync(folder), []);
  (await lockFolder(folder)).release();
});

test('a lock of a running process is respected, and one of a killed process is taken over', async (t) => {
  const folder = folderFor(t);
  const child = await holder(t, folder);
  await assert.rejects(lockFolder(folder), new RegExp(`is in use by process ${child.pid}: `));
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(existsSync(join(folder, lockName)));
  const lock = await lockFolder(folder);
  assert.equal(JSON.parse(readFileSync(join(folder, lockName), 'utf8')).pid, process.pid);
  lock.release();
});

test('a number that was used again, another start of the machine or another container is no owner; nor is what names none', async (t) => {
  const folder = folderFor(t);
  const path = join(folder, lockName);
  const lock = await lockFolder(folder);
  const own = JSON.parse(readFileSync(path, 'utf8'));
  lock.release();
  const texts = [
    ...[
      { started: '1' },
      { boot: 'other' },
      { namespace: 'pid:[1]' },
      { pid: 2 ** 30 },
      { pid: -1 },
    ].map((change) => JSON.stringify({ ...own, ...change })),
    ...['', '{"pid":', 'null', 'x'],
  ];
  for (const text of texts) {
    writeFileSync(path, text);
    const taken = await lockFolder(folder);
    assert.equal(readFileSync(path, 'utf8'), JSON.stringify(own), text);
    taken.release();
  }
});

test('what belongs to another server by now is not released', async (t) => {
  const folder = folderFor(t);
  const lock = await lockFolder(folder);
  writeFileSync(join(folder, lockName), 'of another');
  lock.release();
  assert.ok(existsSync(join(folder, lockName)));
});

test('of servers that start together after a crash, one gets the folder', async (t) => {
  const folder = folderFor(t);
  for (let round = 0; round < 20; round++) {
    writeFileSync(join(folder, lockName), JSON.stringify({ pid: 2 ** 30 }));
    const tries = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
    const locks = tries.filter((result) => result.status === 'fulfilled');
    assert.equal(locks.length, 1);
    locks[0]?.value.release();
  }
});

test('a folder in which no file can be created is not locked', async (t) => {
  const file = join(folderFor(t), 'file');
  writeFileSync(file, '');
  (await lockFolder(file)).release();
  assert.equal(readFileSync(file, 'utf8'), '');
});

for (const [what, make] of [
  ['a FIFO', (path: string) => execFileSync('mkfifo', [path])],
  ['a link to a device without end', (path: string) => symlinkSync('/dev/zero', path)],
  ['a folder', (path: string) => mkdirSync(path)],
] as const) {
  test(`${what} in place of the lock is refused at once, and stays`, async (t) => {
    const folder = folderFor(t);
    const path = join(folder, lockName);
    make(path);
    await assert.rejects(
      lockFolder(folder),
      /^InputError: --disk .* cannot be used: its server\.lock is none of a cache server .*Remove it, or name another folder\.$/,
    );
    assert.ok(existsSync(path));
  });
}
