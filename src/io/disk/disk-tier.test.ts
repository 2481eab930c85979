import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { ManualClock } from '../../core/base/index.ts';
import { type DiskFiles, diskFiles } from './disk-files.ts';
import { DiskTier, type DiskTierOptions } from './disk-tier.ts';

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-disk-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function opened(folder: string, options: Partial<DiskTierOptions> = {}): Promise<DiskTier> {
  const wallClock = new ManualClock(1000);
  return DiskTier.open({
    folder,
    bytesMax: 1 << 20,
    waitingBytesMax: 1 << 20,
    wallClock,
    ...options,
  });
}

const label = Uint8Array.of(7, 0, 255);
const bodyOf = (key: string, size: number) => Buffer.alloc(size, `${key}.`);

function keep(
  tier: DiskTier,
  key: string,
  size = 10_000,
  expiresUnixSeconds = Number.POSITIVE_INFINITY,
) {
  const body = bodyOf(key, size);
  let releases = 0;
  tier.keep({
    ...{ key, size, label, checksum: crc32(body), expiresUnixSeconds },
    spans: size > 1 ? [body.subarray(0, 1), body.subarray(1)] : [body],
    release: () => releases++,
  });
  return () => releases;
}

async function read(tier: DiskTier, key: string): Promise<Buffer | undefined> {
  const value = tier.find(key);
  const body = Buffer.alloc(value?.size ?? 0);
  const isWhole = value && (await tier.read(value, () => [body]));
  return isWhole ? body : undefined;
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** The files of this machine, some of whose operations are replaced. */
function failing(replaced: Partial<DiskFiles>): DiskFiles {
  return { ...diskFiles, ...replaced };
}

const fault = (code: string) => Object.assign(new Error(code), { code });

test('values are there after a restart, with their labels and times; not after their time', async (t) => {
  const folder = folderFor(t);
  const tier = await opened(folder);
  const sizes = [0, 1, 4096, (1 << 18) + 1];
  const releases = sizes.map((size) => keep(tier, `k${size}\u00ff`, size));
  keep(tier, 'short', 10, 1005);
  await tier.flushed();
  assert.deepEqual(
    releases.map((count) => count()),
    [1, 1, 1, 1],
  );
  const wallClock = new ManualClock(1004);
  const again = await opened(folder, { wallClock });
  assert.equal(again.entries, 5);
  for (const size of sizes) {
    const key = `k${size}\u00ff`;
    assert.deepEqual(again.find(key)?.label, label);
    assert.deepEqual(await read(again, key), bodyOf(key, size));
  }
  assert.equal(again.find('short')?.expiresUnixSeconds, 1005);
  wallClock.advance(1);
  assert.equal(again.find('short'), undefined);
  assert.deepEqual(again.scan(0, 99).keys.length, 4);
  await again.flushed();
  assert.equal(filesIn(folder).length, 4);
  assert.equal((await opened(folder, { wallClock: new ManualClock(2000) })).entries, 4);
});

test('files stay within the bound: the least recently used ones go, also at a start with a smaller bound', async (t) => {
  const folder = folderFor(t);
  const tier = await opened(folder, { bytesMax: 10 * 12_288, waitingBytesMax: 1 << 30 });
  for (let i = 0; i < 10; i++) keep(tier, `k${i}`);
  await tier.flushed();
  await read(tier, 'k0');
  tier.hold(tier.find('k1') ?? assert.fail());
  for (let i = 10; i < 18; i++) keep(tier, `k${i}`);
  await tier.flushed();
  assert.deepEqual(
    [...tier.keys()].sort(),
    ['k0', 'k1', ...[10, 11, 12, 13, 14, 15, 16, 17].map((i) => `k${i}`)].sort(),
  );
  assert.equal(filesIn(folder).length, 10);
  assert.ok(tier.stats.bytes <= tier.stats.bytesMax);
  keep(tier, 'huge', 200_000);
  await tier.flushed();
  assert.deepEqual([tier.find('huge'), tier.stats.dropped, tier.entries], [undefined, 1, 10]);
  const smaller = await opened(folder, { bytesMax: 3 * 12_288 });
  await smaller.flushed();
  assert.deepEqual([[...smaller.keys()], filesIn(folder).length], [['k15', 'k16', 'k17'], 3]);
});

test('a torn or changed file is never a value: whatever is cut off or changed', async (t) => {
  const original = folderFor(t);
  const tier = await opened(original);
  keep(tier, 'k', 5000);
  await tier.flushed();
  const [path = ''] = filesIn(original);
  const whole = readFileSync(path);
  let served = 0;
  for (let at = 0; at < whole.length; at += at < 80 ? 1 : 97) {
    for (const damage of ['cut', 'flip'] as const) {
      if (damage === 'cut') {
        writeFileSync(path, whole);
        truncateSync(path, at);
      } else {
        const changed = Buffer.from(whole);
        changed[at] = (changed[at] as number) ^ 0x10;
        writeFileSync(path, changed);
      }
      const again = await opened(original);
      const value = again.find('k');
      const bytes = await read(again, 'k');
      // The checksum of the bytes is for the store to compare; that of the head was compared already.
      if (value !== undefined && bytes !== undefined && crc32(bytes) === value.checksum) served++;
      else if (value === undefined) assert.equal(again.stats.corrupt, 1, `${damage} at ${at}`);
      await again.flushed();
      assert.equal(existsSync(path), value !== undefined, `${damage} at ${at}`);
    }
  }
  assert.equal(served, 0);
});

test('half-written files and older values of a key go at the start, foreign files stay', async (t) => {
  const folder = folderFor(t);
  const tier = await opened(folder);
  keep(tier, 'k', 100);
  await tier.flushed();
  const [first = ''] = filesIn(folder);
  const old = readFileSync(first);
  keep(tier, 'k', 200);
  await tier.flushed();
  tier.delete('other');
  writeFileSync(first, old);
  writeFileSync(`${first}.tmp`, 'half');
  const foreign = join(dirname(first), 'notes.txt');
  writeFileSync(foreign, 'mine');
  const again = await opened(folder);
  await again.flushed();
  assert.deepEqual(await read(again, 'k'), bodyOf('k', 200));
  assert.equal(filesIn(folder).length, 2);
  assert.ok(existsSync(foreign));
  keep(again, 'k', 300);
  await again.flushed();
  assert.deepEqual(await read(await opened(folder), 'k'), bodyOf('k', 300));
});

test('a value that is deleted or replaced while it waits or is written leaves no file', async (t) => {
  const folder = folderFor(t);
  let opens: (() => void)[] = [];
  const files = failing({
    async open(path, flags) {
      if (flags === 'wx') await new Promise<void>((resolve) => opens.push(resolve));
      return diskFiles.open(path, flags);
    },
  });
  const tier = await opened(folder, { files });
  const released = keep(tier, 'a');
  while (opens.length === 0) await new Promise((resolve) => setImmediate(resolve));
  keep(tier, 'b');
  keep(tier, 'a', 77);
  assert.equal(tier.delete('b'), true);
  assert.equal(released(), 0, 'its bytes are being written');
  opens[0]?.();
  while (opens.length === 1) await new Promise((resolve) => setImmediate(resolve));
  opens[1]?.();
  await tier.flushed();
  assert.deepEqual([...tier.keys()], ['a']);
  assert.equal(tier.find('a')?.size, 77);
  assert.equal(filesIn(folder).length, 1);
  assert.equal(tier.stats.waitingBytes, 0);
  opens = [];
});

test('beyond the bound of waiting bytes values are dropped at once', async (t) => {
  const tier = await opened(folderFor(t), { waitingBytesMax: 15_000 });
  const [first, second] = [keep(tier, 'a'), keep(tier, 'b')];
  assert.deepEqual([first(), second()], [0, 1]);
  await tier.flushed();
  assert.deepEqual([[...tier.keys()], tier.stats.dropped, tier.stats.waitingBytes], [['a'], 1, 0]);
});

test('a full disk loses older values, never more than it has to, and goes on', async (t) => {
  const folder = folderFor(t);
  const room = 3;
  const files = failing({
    async open(path, flags) {
      if (flags === 'wx' && filesIn(folder).length >= room) throw fault('ENOSPC');
      return diskFiles.open(path, flags);
    },
  });
  const tier = await opened(folder, { files });
  for (let i = 0; i < 12; i++) {
    keep(tier, `k${i}`);
    await tier.flushed();
    assert.ok(tier.entries >= 1 && tier.entries <= room);
  }
  const { writeErrors, dropped, written } = tier.stats;
  assert.ok(writeErrors > 1 && dropped === writeErrors && written + dropped === 12);
  for (const key of [...tier.keys()]) assert.deepEqual(await read(tier, key), bodyOf(key, 10_000));
});

test('a disk that goes on failing is left alone for 10 s; nothing of what failed stays', async (t) => {
  const folder = folderFor(t);
  const wallClock = new ManualClock(1000);
  let [isBroken, tried] = [true, 0];
  const files = failing({
    async open(path, flags) {
      if (flags === 'r') return diskFiles.open(path, flags);
      tried++;
      const file = await open(path, flags);
      // Half of the bytes arrive, then the disk fails.
      if (isBroken)
        file.writev = async (buffers: readonly NodeJS.ArrayBufferView[]) => {
          await file.appendFile(buffers[0] as Uint8Array);
          throw fault('EIO');
        };
      return file;
    },
  });
  const tier = await opened(folder, { files, wallClock });
  for (let i = 0; i < 5; i++) {
    const released = keep(tier, `k${i}`);
    await tier.flushed();
    assert.equal(released(), 1);
  }
  assert.deepEqual([tried, tier.stats.writeErrors, tier.stats.dropped], [3, 3, 5]);
  assert.deepEqual(filesIn(folder), []);
  isBroken = false;
  wallClock.advance(10);
  keep(tier, 'k');
  await tier.flushed();
  assert.deepEqual(await read(tier, 'k'), bodyOf('k', 10_000));
});

test('a file that cannot be read is a miss, and gone', async (t) => {
  const folder = folderFor(t);
  const files = failing({
    async open(path, flags) {
      if (flags === 'r') throw fault('EIO');
      return diskFiles.open(path, flags);
    },
  });
  const tier = await opened(folder, { files });
  keep(tier, 'k');
  await tier.flushed();
  assert.equal(await read(tier, 'k'), undefined);
  assert.deepEqual([tier.find('k'), tier.stats.readErrors], [undefined, 1]);
  await tier.flushed();
  assert.deepEqual(filesIn(folder), []);
});

test('a folder that cannot be used is said so', async (t) => {
  const file = join(folderFor(t), 'file');
  writeFileSync(file, '');
  await assert.rejects(opened(file), /^InputError: --disk .*file cannot be used: ENOTDIR/);
});

test('a folder that is removed while the server runs is made again', async (t) => {
  const folder = folderFor(t);
  const tier = await opened(folder);
  keep(tier, 'k');
  await tier.flushed();
  rmSync(join(folder, 'v1'), { recursive: true });
  assert.equal(await read(tier, 'k'), undefined);
  keep(tier, 'k', 200);
  await tier.flushed();
  assert.deepEqual(await read(tier, 'k'), bodyOf('k', 200));
  assert.equal(tier.stats.writeErrors, 0);
});

test('clear leaves nothing', async (t) => {
  const folder = folderFor(t);
  const tier = await opened(folder);
  for (let i = 0; i < 5; i++) keep(tier, `k${i}`);
  await tier.flushed();
  keep(tier, 'waiting');
  tier.clear();
  await tier.flushed();
  assert.deepEqual([tier.entries, tier.stats.bytes, filesIn(folder)], [0, 0, []]);
});

test('a folder that cannot be made is an error, even where Node would try for ever', async () => {
  for (const folder of ['/proc/none/below', '/dev/null/below']) {
    await assert.rejects(opened(folder), /--disk .* cannot be used: E[A-Z]+: .*Name a folder/);
  }
});

test('what is no file of this server is neither opened nor removed, and one line counts it', async (t) => {
  const folder = folderFor(t);
  const first = await opened(folder);
  keep(first, 'kept');
  await first.flushed();
  const shard = join(folder, 'v1', 'ab');
  mkdirSync(shard, { recursive: true });
  const name = (i: number) => join(shard, `${'ab'.repeat(16)}-${i}`);
  const elsewhere = join(folder, 'elsewhere');
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, `${'cd'.repeat(16)}-1`), 'of somebody');
  writeFileSync(join(elsewhere, 'plain'), 'of somebody');
  execFileSync('mkfifo', [name(1), `${name(2)}.tmp`]);
  symlinkSync('/dev/zero', name(3));
  symlinkSync(join(elsewhere, 'plain'), `${name(4)}.tmp`);
  mkdirSync(name(5));
  writeFileSync(join(shard, 'notes.txt'), 'of somebody');
  symlinkSync(elsewhere, join(folder, 'v1', 'cd'));
  writeFileSync(join(folder, 'v1', 'README'), 'of somebody');
  const server = createServer().listen(name(6));
  t.after(() => server.close());
  await once(server, 'listening');
  const before = readdirSync(folder, { recursive: true }).toSorted();
  const lines: string[] = [];
  const opens: string[] = [];
  const files = failing({
    open: (path, flags) => {
      opens.push(path);
      return diskFiles.open(path, flags);
    },
  });
  const tier = await opened(folder, { files, log: { warning: (line) => void lines.push(line) } });
  await tier.flushed();
  assert.equal(opens.length, 1, 'only the value was opened');
  assert.deepEqual(readdirSync(folder, { recursive: true }).toSorted(), before);
  assert.deepEqual(lines, [
    `--disk ${folder}: 9 entries are no files of this server: of other names or owners, links, FIFOs, sockets, devices or folders. They are ignored, and take space beyond --disk-size.`,
  ]);
  assert.deepEqual(await read(tier, 'kept'), bodyOf('kept', 10_000));
});

test('files of another owner are neither opened nor removed', async (t) => {
  const folder = folderFor(t);
  const first = await opened(folder);
  keep(first, 'of another');
  await first.flushed();
  const look = async (path: string) => {
    const found = await diskFiles.look(path);
    return { ...found, owner: found.kind === 'file' ? found.owner + 1 : found.owner };
  };
  const lines: string[] = [];
  const log = { warning: (line: string) => void lines.push(line) };
  const tier = await opened(folder, { files: failing({ look }), log });
  await tier.flushed();
  assert.equal(tier.find('of another'), undefined);
  assert.equal(filesIn(folder).length, 1);
  assert.match(lines.join(), /: 1 entry is no file of this server: /);
});

test('the owner of files is that of the lock: some file systems give all files one that is not the user', async (t) => {
  const folder = folderFor(t);
  const first = await opened(folder);
  keep(first, 'squashed');
  await first.flushed();
  writeFileSync(join(folder, 'server.lock'), '');
  const look = async (path: string) => ({ ...(await diskFiles.look(path)), owner: 65_534 });
  const tier = await opened(folder, { files: failing({ look }) });
  assert.deepEqual(await read(tier, 'squashed'), bodyOf('squashed', 10_000));
});

test('a FIFO or a link that takes the place of a file later is a miss at once', async (t) => {
  const folder = folderFor(t);
  const tier = await opened(folder);
  for (const make of [
    (path: string) => void execFileSync('mkfifo', [path]),
    (path: string) => symlinkSync('/dev/zero', path),
  ]) {
    keep(tier, 'a');
    await tier.flushed();
    const [path = ''] = filesIn(folder);
    rmSync(path);
    make(path);
    assert.equal(await read(tier, 'a'), undefined);
    await tier.flushed();
  }
});

test('a link in place of a folder of values leads no new file elsewhere', async (t) => {
  const folder = folderFor(t);
  const elsewhere = join(folder, 'elsewhere');
  mkdirSync(elsewhere);
  mkdirSync(join(folder, 'v1'));
  for (let i = 0; i < 256; i++) {
    symlinkSync(elsewhere, join(folder, 'v1', i.toString(16).padStart(2, '0')));
  }
  const tier = await opened(folder);
  const released = keep(tier, 'a');
  await tier.flushed();
  assert.equal(released(), 1);
  assert.equal(tier.stats.writeErrors, 1);
  assert.deepEqual(readdirSync(elsewhere), []);
});

test('values that are not written are logged with their causes: the first at once, the others once a minute', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: string[] = [];
  const codes = ['ENOSPC', 'EIO', 'EIO'];
  const files = failing({
    open: async (path, flags) => {
      const code = flags === 'wx' ? codes.shift() : undefined;
      if (code !== undefined) throw fault(code);
      return await diskFiles.open(path, flags);
    },
  });
  const folder = folderFor(t);
  const log = { warning: (line: string) => void lines.push(line) };
  const tier = await opened(folder, { files, log, waitingBytesMax: 25_000 });
  for (const key of ['a', 'b', 'c', 'd']) keep(tier, key);
  await tier.flushed();
  keep(tier, 'e');
  await tier.flushed();
  keep(tier, 'f');
  assert.deepEqual(lines.splice(0), [
    `--disk ${folder}: 1 value was not written: the queue is full (1)`,
  ]);
  t.mock.timers.tick(60_000);
  assert.deepEqual(lines.splice(0), [
    `--disk ${folder}: 5 values were not written: EIO (2), the queue is full (1), ENOSPC (1), not tried for 10 s after EIO (1)`,
  ]);
  assert.equal(tier.stats.dropped, 6);
});
