// A dynamic configuration file that is followed: what is applied, and what is said.
import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { until } from '../../../../test/support/until.ts';
import { createLogger } from '../../../io/log/index.ts';
import { DynamicConfigFile } from './dynamic-config-file.ts';

const base = {
  ...{ engines: [], aliases: new Map(), policy: 'roundrobin', sessionKey: undefined },
  ...{ healthIntervalMs: 5_000, healthTimeoutMs: 3_000 },
};

const engines = (url: string) => `service_discovery: static\nstatic_backends: ${url}\n`;

async function begin(context: TestContext, text: string) {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-test-'));
  const path = join(folder, 'config.yaml');
  await writeFile(path, text);
  const stream = new PassThrough();
  let logged = '';
  stream.setEncoding('utf8').on('data', (more) => {
    logged += more;
  });
  const log = createLogger({ stream, level: 'info', format: 'text' });
  const file = await DynamicConfigFile.open({ path, pollMs: 1, base, discovery: 'static', log });
  const applied: string[] = [];
  file.follow(({ engines: listed }) => applied.push(listed?.map(({ url }) => url).join() ?? ''));
  context.after(async () => {
    file.stop();
    await rm(folder, { recursive: true });
  });
  return {
    ...{ file, applied },
    /** Replaces the file at once, as Kubernetes does. */
    write: async (next: string) => {
      await writeFile(`${path}.next`, next);
      await rename(`${path}.next`, path);
    },
    remove: () => rm(path),
    logged: () => {
      log.flush();
      return logged;
    },
    count: (what: RegExp) => {
      log.flush();
      return [...logged.matchAll(what)].length;
    },
  };
}

test('a changed file is applied once, and is the configuration in force from then on', async (t) => {
  const { file, applied, write, logged } = await begin(t, engines('http://a'));
  assert.equal(file.settings.engines?.[0]?.url, 'http://a');
  await write(engines('http://b'));
  await until(() => applied.length > 0);
  await write(engines('http://c'));
  await until(() => applied.length > 1);
  assert.deepEqual(
    applied,
    ['http://b', 'http://c'],
    'neither the first one, nor one of them twice',
  );
  assert.equal(file.settings.engines?.[0]?.url, 'http://c');
  await until(() => /config\.yaml: applied/.test(logged()));
});

test('a broken file leaves the last configuration in force, and is reported once', async (t) => {
  const { file, applied, write, logged, count } = await begin(t, engines('http://a'));
  await write('static_backends: [');
  const broken = /WARNING: .* The current configuration stays in force\./g;
  await until(() => count(broken) > 0);
  assert.equal(file.settings.engines?.[0]?.url, 'http://a');
  // The same text as the one in force is applied again: the problem is over.
  await write(engines('http://a'));
  await until(() => applied.length > 0);
  assert.equal(count(broken), 1, logged());
});

test('a file that is gone is reported, and its return is noticed', async (t) => {
  const { applied, write, remove, count } = await begin(t, engines('http://a'));
  await remove();
  await until(() => count(/stays in force/g) === 1);
  await write(engines('http://b'));
  await until(() => applied.length > 0);
  assert.deepEqual(applied, ['http://b']);
});

test('after it was stopped, nothing is applied', async (t) => {
  const { file, applied, write } = await begin(t, engines('http://a'));
  const witness = await begin(t, engines('http://a'));
  file.stop();
  await write(engines('http://b'));
  await witness.write(engines('http://b'));
  await until(() => witness.applied.length > 0);
  assert.deepEqual(applied, []);
});

test('a file that is broken at the start is an error', async (t) => {
  await assert.rejects(begin(t, 'static_backends: ['), /config\.yaml/);
});

test('a problem is told in words, and once more when it returns', async (t) => {
  const { applied, write, count, logged } = await begin(t, engines('http://a'));
  const broken = /WARNING: .* The current configuration stays in force\./g;
  await write('static_backends: [');
  await until(() => count(broken) === 1);
  assert.match(logged(), /WARNING: \S*config\.yaml[^\n]*stays in force/);
  assert.doesNotMatch(logged(), /Error:/);
  await write(engines('http://b'));
  await until(() => applied.length > 0);
  await write('static_backends: [');
  await until(() => count(broken) === 2);
});

test('a change is applied once, however often the file is read', async (t) => {
  const { applied, write } = await begin(t, engines('http://a'));
  await write(engines('http://b'));
  await until(() => applied.length > 0);
  const witness = await begin(t, engines('http://a'));
  // Each of these takes the witness two readings, in the same intervals.
  for (const [i, url] of ['http://c', 'http://d', 'http://e'].entries()) {
    await witness.write(engines(url));
    await until(() => witness.applied.length > i);
  }
  assert.deepEqual(applied, ['http://b']);
});

/** A file of which a test knows each reading. */
async function watched(context: TestContext, text: string) {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-test-'));
  const path = join(folder, 'config.yaml');
  await writeFile(path, text);
  const log = createLogger({ stream: new PassThrough(), level: 'info', format: 'text' });
  const state = { readings: 0, onParse: () => {} };
  const file = await DynamicConfigFile.open({
    ...{ pollMs: 1, discovery: 'static', log },
    get path() {
      state.readings++;
      return path;
    },
    get base() {
      state.onParse();
      return base;
    },
  });
  const applied: string[] = [];
  file.follow(({ engines: listed }) => applied.push(listed?.map(({ url }) => url).join() ?? ''));
  context.after(async () => {
    file.stop();
    await rm(folder, { recursive: true });
  });
  return { file, applied, state, write: (next: string) => writeFile(path, next) };
}

test('a change that is being read when the router stops is not applied', async (t) => {
  const { file, applied, state, write } = await watched(t, engines('http://a'));
  const { promise, resolve } = Promise.withResolvers<void>();
  state.onParse = () => {
    file.stop();
    resolve();
  };
  await write(engines('http://b'));
  await promise;
  const { readings } = state;
  const witness = await begin(t, engines('http://a'));
  await witness.write(engines('http://b'));
  await until(() => witness.applied.length > 0);
  assert.deepEqual([applied, state.readings], [[], readings]);
});

test('a file is not read again once the router has stopped', async (t) => {
  const { file, state } = await watched(t, engines('http://a'));
  file.stop();
  const { readings } = state;
  const witness = await begin(t, engines('http://a'));
  await witness.write(engines('http://b'));
  await until(() => witness.applied.length > 0);
  assert.equal(state.readings, readings);
});
