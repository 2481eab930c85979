import assert from 'node:assert/strict';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TlsIdentity } from './index.ts';

const fixtures = join(import.meta.dirname, '..', '..', '..', 'test', 'support', 'tls');
const fixture = (name: string) => join(fixtures, `${name}.pem`);

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'spillway-tls-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function recorder() {
  const lines: string[] = [];
  const wanted: { pattern: RegExp; done: () => void }[] = [];
  const add = (line: string) => {
    lines.push(line);
    for (const { pattern, done } of wanted) if (pattern.test(line)) done();
  };
  const line = (pattern: RegExp) =>
    new Promise<void>((done) => {
      if (lines.some((one) => pattern.test(one))) done();
      else wanted.push({ pattern, done });
    });
  return { lines, line, log: { info: add, warning: add } };
}

test('a pair that does not fit is refused without its key in the message', async () => {
  const files = { cert: fixture('server-cert'), key: fixture('client-key') };
  const { log } = recorder();
  await assert.rejects(TlsIdentity.open({ files, name: '--tls-cert', log }), {
    name: 'InputError',
    message: `the key in ${files.key} does not belong to the certificate in ${files.cert}.`,
  });
});

test('missing files, and files without a certificate, are refused by name', async () => {
  const { log } = recorder();
  const open = (files: object) => TlsIdentity.open({ files, name: '--tls-cert', log });
  await assert.rejects(
    open({ ca: '/nowhere.pem' }),
    /\/nowhere\.pem cannot be read: no such file or folder; check the path\./,
  );
  await assert.rejects(open({ ca: import.meta.filename }), /contains no PEM certificate\./);
});

test('a secret that is switched over by its symbolic link takes effect; a bad one is kept out and logged once', async (t) => {
  const root = folder(t);
  const version = (name: string, cert: string, key: string) => {
    mkdirSync(join(root, name));
    copyFileSync(fixture(cert), join(root, name, 'tls.crt'));
    copyFileSync(fixture(key), join(root, name, 'tls.key'));
  };
  // As the kubelet does it: ..data points to the current version and is replaced by a rename.
  const point = (name: string) => {
    symlinkSync(name, join(root, '..data-new'));
    renameSync(join(root, '..data-new'), join(root, '..data'));
  };
  version('v1', 'server-cert', 'server-key');
  version('v2', 'server-next-cert', 'server-key');
  version('v3', 'server-next-cert', 'server-next-key');
  point('v1');
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(join('..data', name), join(root, name));
  const { lines, line, log } = recorder();
  const identity = await TlsIdentity.open({
    files: { cert: join(root, 'tls.crt'), key: join(root, 'tls.key') },
    ...{ name: '--tls-cert', log, pollMs: 5 },
  });
  t.after(() => identity.stop());
  const first = identity.context;
  const changes: unknown[] = [];
  identity.follow((material) => changes.push(material.cert));
  point('v2');
  await line(/does not belong to the certificate .* The last certificate stays in use\.$/);
  assert.equal(identity.context, first);
  point('v3');
  await line(/^--tls-cert: the new certificate is in use, valid until /);
  assert.notEqual(identity.context, first);
  assert.equal(changes.length, 1);
  assert.equal(lines.length, 2, lines.join('\n'));
});

test('a file that vanishes changes nothing', async (t) => {
  const path = join(folder(t), 'ca.pem');
  copyFileSync(fixture('ca-cert'), path);
  const { lines, line, log } = recorder();
  const identity = await TlsIdentity.open({
    files: { ca: path },
    name: '--engine-tls',
    log,
    pollMs: 5,
  });
  t.after(() => identity.stop());
  const first = identity.context;
  identity.follow();
  rmSync(path);
  await line(/cannot be read: no such file/);
  writeFileSync(path, 'half a fi');
  await line(/contains no PEM certificate/);
  assert.equal(identity.context, first);
  assert.equal(lines.length, 2);
});
