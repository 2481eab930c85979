// The files that a router follows while it runs: half written, replaced as Kubernetes does it, invalid, huge, without an end, and gone.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { startScriptedEngine } from '../../support/scripted-engine.ts';
import { startBystander, startTarget, type Target, until } from './target.ts';

/** Interval of readings of the engines and of the dynamic configuration; a change counts after two. */
const pollMs = 1_000;
/** Memory that a huge file may cost: it is not read. */
const growthMiBMax = 48;
const pem = (name: string) =>
  join(import.meta.dirname, '..', '..', 'support', 'tls', `${name}.pem`);

/** A folder as Kubernetes mounts a ConfigMap: a link to a folder that is switched over. */
function mounted(t: TestContext, name: string) {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-attack-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, name);
  let version = 0;
  return {
    path,
    /** Replaces the file through the link `..data`. */
    swap: (text: string) => {
      mkdirSync(join(folder, `..${++version}`));
      writeFileSync(join(folder, `..${version}`, name), text);
      symlinkSync(`..${version}`, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
      if (version === 1) symlinkSync(join('..data', name), path);
    },
    /** Puts a file of its own in place of the link. */
    replace: (text: string) => {
      writeFileSync(`${path}.next`, text);
      renameSync(`${path}.next`, path);
    },
    /** Writes the text in five pieces over two readings. */
    dribble: async (text: string) => {
      truncateSync(path, 0);
      for (let at = 0; at < text.length; at += Math.ceil(text.length / 5)) {
        appendFileSync(path, text.slice(at, at + Math.ceil(text.length / 5)));
        await sleep((2 * pollMs) / 5);
      }
    },
  };
}

const warnings = ({ log }: Target): string[] =>
  log()
    .split('\n')
    .filter((line) => /WARNING|ERROR/.test(line));

describe('files that a router follows', { concurrency: true }, () => {
  for (const [flag, textOf] of [
    [
      '--engines-file',
      (urls: string[]) => `engines:\n${urls.map((u) => `  - url: ${u}\n`).join('')}`,
    ],
    [
      '--dynamic-config-yaml',
      (urls: string[]) => `service_discovery: static\nstatic_backends: ${urls.join(',')}\n`,
    ],
  ] as const) {
    test(`${flag}: the last good file stays in force, and a good one counts again`, async (t) => {
      const engines = await Promise.all([startScriptedEngine(), startScriptedEngine()]);
      t.after(() => Promise.all(engines.map((engine) => engine.close())));
      const [first = '', second = ''] = engines.map(({ url }) => url);
      const file = mounted(t, 'config.yaml');
      file.swap(textOf([first]));
      const more = flag === '--engines-file' ? [] : ['--static-backends', first];
      const target = await startTarget(t, [flag, file.path, ...more], []);
      const urls = async () => {
        const { engines } = (await (await fetch(`${target.adminUrl}/debug/router`)).json()) as {
          readonly engines: readonly { readonly url: string }[];
        };
        return engines.map(({ url }) => url).sort();
      };
      const both = [first, second].sort();
      const bystander = startBystander(target);
      const before = await target.measure();

      file.swap(textOf(both));
      await until(async () => (await urls()).length === 2);
      file.replace(textOf([second]));
      await until(async () => (await urls()).length === 1);
      await file.dribble(textOf(both));
      await until(async () => (await urls()).length === 2);
      assert.deepEqual(warnings(target), [], 'no change so far was a problem');

      const bad: Readonly<Record<string, () => void>> = {
        'an invalid file': () => file.replace('engines: {{{\n'),
        'a huge file': () => truncateSync(file.path, 100 * 2 ** 20),
        'a file without an end': () => {
          symlinkSync('/dev/zero', `${file.path}.zero`);
          renameSync(`${file.path}.zero`, file.path);
        },
        'no file': () => unlinkSync(file.path),
      };
      for (const [what, make] of Object.entries(bad)) {
        const warned = warnings(target).length;
        make();
        await until(() => warnings(target).length > warned);
        await sleep(2 * pollMs);
        assert.equal(warnings(target).length, warned + 1, `${what}: one warning\n${target.log()}`);
        assert.deepEqual(await urls(), both, what);
        file.replace(textOf(both));
        await sleep(3 * pollMs);
      }
      file.replace(textOf([first]));
      await until(async () => (await urls()).length === 1);
      const { failures, served } = await bystander.stop();
      assert.deepEqual(failures, []);
      assert.ok(served > 0);
      const { peakRssMiB } = await target.measure();
      assert.ok(peakRssMiB - before.rssMiB < growthMiBMax, `${peakRssMiB - before.rssMiB} MiB`);
    });
  }

  test('certificate and key renewed one after the other, and keys of clients half written', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'spillway-attack-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const [cert, key, keys] = ['cert.pem', 'key.pem', 'keys'].map((name) => join(folder, name));
    copyFileSync(pem('server-cert'), cert as string);
    copyFileSync(pem('server-key'), key as string);
    writeFileSync(keys as string, 'old\n');
    const target = await startTarget(t, [
      ...['--tls-cert', cert as string, '--tls-key', key as string],
      ...['--api-key-file', keys as string],
    ]);
    const serial = async () => {
      const socket = connect({ port: target.port, host: '127.0.0.1', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const before = await serial();
    copyFileSync(pem('server-next-cert'), cert as string);
    truncateSync(keys as string, 0);
    await until(() => warnings(target).length === 2);
    assert.equal(await serial(), before, 'the last pair stays in use');
    copyFileSync(pem('server-next-key'), key as string);
    writeFileSync(keys as string, 'new\n');
    await until(async () => (await serial()) !== before);
    await until(() => /the new keys are in use/.test(target.log()));
    assert.equal(warnings(target).length, 2, target.log());
  });
});
