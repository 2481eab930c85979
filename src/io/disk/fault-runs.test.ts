// A thousand runs of memory and disk under faults, each from its seed: crashes with torn files, full and read-only disks, changed
// bytes, failing reads. No client ever gets a wrong byte, and nothing hangs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { ManualClock, type Random, randomInteger, seededRandom } from '../../core/base/index.ts';
import { MemoryStore, TieredStore } from '../../core/cache/index.ts';
import {
  createEvictionOrder,
  type EvictionName,
  evictionNames,
} from '../../core/eviction/index.ts';
import { syntheticKv } from '../../core/kv/index.ts';
import type { DiskFiles, OpenFile, PathState } from './disk-files.ts';
import { DiskTier } from './disk-tier.ts';

const seeds = 1000;
const me = process.geteuid?.() ?? 0;
const steps = 40;
const keys = ['a', 'b', 'c', 'd', 'e'];

/** Files in memory that fail as they are told to. */
class FaultyFiles implements DiskFiles {
  readonly files = new Map<string, Uint8Array>();
  readonly #random: Random;
  mode: 'fine' | 'full' | 'read-only' | 'unreadable' = 'fine';
  /** Writes stop here, as when the process is killed. */
  isDead = false;

  constructor(random: Random) {
    this.#random = random;
  }

  async open(path: string, flags: 'r' | 'wx'): Promise<OpenFile> {
    if (flags === 'wx') {
      this.#mayWrite();
      if (this.files.has(path)) throw failure('EEXIST');
      this.files.set(path, new Uint8Array(0));
    } else if (!this.files.has(path)) throw failure('ENOENT');
    return {
      read: async (buffer, offset, length, position) => {
        if (this.mode === 'unreadable') throw failure('EIO');
        const bytes = (this.files.get(path) ?? new Uint8Array(0)).subarray(position);
        const part = bytes.subarray(0, length);
        buffer.set(part, offset);
        return { bytesRead: part.length };
      },
      readv: async (buffers, position) => {
        if (this.mode === 'unreadable') throw failure('EIO');
        const bytes = (this.files.get(path) ?? new Uint8Array(0)).subarray(position);
        let bytesRead = 0;
        for (const buffer of buffers) {
          const part = bytes.subarray(bytesRead, bytesRead + buffer.length);
          buffer.set(part);
          bytesRead += part.length;
        }
        return { bytesRead };
      },
      writev: async (buffers, position) => {
        this.#mayWrite();
        const all = Buffer.concat(buffers);
        // A full disk takes a part; so does a process that is killed half-way.
        const isCut = this.mode === 'full' || this.isDead;
        const taken = isCut ? all.subarray(0, Math.floor(all.length * this.#random.next())) : all;
        const old = this.files.get(path) ?? new Uint8Array(0);
        const grown = new Uint8Array(Math.max(old.length, position + taken.length));
        grown.set(old);
        grown.set(taken, position);
        this.files.set(path, grown);
        if (isCut) throw failure('ENOSPC');
        return { bytesWritten: taken.length };
      },
      stat: async () => ({ size: this.files.get(path)?.length ?? 0, mtimeMs: 0 }),
      close: async () => {},
    };
  }

  async rename(from: string, to: string): Promise<void> {
    this.#mayWrite();
    const bytes = this.files.get(from);
    if (bytes === undefined) throw failure('ENOENT');
    this.files.delete(from);
    this.files.set(to, bytes);
  }

  async unlink(path: string): Promise<void> {
    this.#mayWrite();
    if (!this.files.delete(path)) throw failure('ENOENT');
  }

  async readdir(folder: string): Promise<string[]> {
    const own = [...this.files.keys()].filter((path) => path.startsWith(`${folder}/`));
    return own.map((path) => path.slice(folder.length + 1)).filter((name) => !name.includes('/'));
  }

  async makeFolder(): Promise<void> {}

  async look(path: string): Promise<PathState> {
    return { kind: this.files.has(path) ? 'file' : 'folder', owner: me };
  }

  /** Changes one bit of one file. */
  corrupt(): void {
    const all = [...this.files.values()].filter(({ length }) => length > 0);
    const bytes = all[randomInteger(this.#random, all.length)];
    if (bytes === undefined) return;
    const at = randomInteger(this.#random, bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << randomInteger(this.#random, 8));
  }

  #mayWrite(): void {
    if (this.mode === 'read-only' || this.isDead) throw failure('EROFS');
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** Versions of a key that a read may return. */
type Allowed = Map<string, Set<number>>;

async function fresh(files: FaultyFiles, clock: ManualClock, seed: number) {
  const eviction = evictionNames[seed % evictionNames.length] as EvictionName;
  const createOrder = () => createEvictionOrder(eviction);
  const memory = new MemoryStore({ bytesMax: 4 << 16, clock, checksum: crc32, createOrder });
  const tier = await DiskTier.open({
    ...{ folder: '/cache', bytesMax: 200_000, waitingBytesMax: 1 << 20, wallClock: clock, files },
    createOrder,
  });
  return { store: new TieredStore(memory, clock, tier), tier };
}

async function faultRun(seed: number) {
  const random = seededRandom(seed);
  const clock = new ManualClock(1000);
  const files = new FaultyFiles(random);
  const allowed: Allowed = new Map(keys.map((key) => [key, new Set<number>()]));
  let { store, tier } = await fresh(files, clock, seed);
  let version = 0;
  let hits = 0;
  for (let step = 0; step < steps; step++) {
    const key = keys[randomInteger(random, keys.length)] as string;
    const draw = random.next();
    if (step > 0) store.follows(key, keys[step % keys.length] as string);
    if (draw < 0.35) {
      const value = new Uint8Array(1 + randomInteger(random, 60_000));
      version++;
      syntheticKv(`${key} ${version}`).fill(value, 0);
      const writer = store.receive(key, value.length);
      for (let at = 0; at < value.length; at += 20_000)
        writer.write(value.subarray(at, at + 20_000));
      // A client that is gone half-way: nothing of it is ever seen.
      if (random.next() < 0.15) writer.abort();
      else {
        writer.commit();
        allowed.set(key, new Set([version]));
      }
    } else if (draw < 0.7) {
      if (store.isBelow(key)) await store.load(key);
      const value = store.lease(key);
      if (value === undefined) continue;
      const bytes = Buffer.concat(value.spans);
      value.release();
      const found = [...(allowed.get(key) as Set<number>)].some((one) =>
        syntheticKv(`${key} ${one}`).matches(bytes, 0),
      );
      assert.ok(found, `seed ${seed}, step ${step}: a wrong value of ${key}`);
      hits++;
    } else if (draw < 0.75) {
      store.delete(key);
      allowed.set(key, new Set());
    } else if (draw < 0.85) await tier.flushed();
    else if (draw < 0.9) files.corrupt();
    else if (draw < 0.95) {
      const modes = ['fine', 'full', 'read-only', 'unreadable'] as const;
      files.mode = modes[randomInteger(random, modes.length)] as (typeof modes)[number];
      clock.advance(randomInteger(random, 30));
    } else {
      // kill -9: what was being written is torn, and what a client deleted or replaced may be back.
      files.isDead = true;
      await tier.flushed();
      tier.close();
      files.isDead = false;
      files.mode = 'fine';
      for (const [name, versions] of allowed) {
        for (let one = 1; one <= version; one++) versions.add(one);
        allowed.set(name, versions);
      }
      ({ store, tier } = await fresh(files, clock, seed));
    }
    const { bytes, bytesMax } = store.stats;
    assert.ok(bytes <= bytesMax, `seed ${seed}: the bound of the memory holds`);
  }
  tier.close();
  return hits;
}

test('no fault of the disk gives a client a wrong byte: a thousand seeds', async () => {
  let hits = 0;
  for (let seed = 1; seed <= seeds; seed++) hits += await faultRun(seed);
  assert.ok(hits > 3 * seeds, `runs that find nothing show nothing: ${hits}`);
});

test('a run replays from its seed', async () => {
  assert.equal(await faultRun(7), await faultRun(7));
});
