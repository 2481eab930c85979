// The images of a stack, and a mirror for them.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type RegistryScript, scriptedRegistry } from '../../../test/support/scripted-registry.ts';
import { hostsFolderProblem } from './containerd-hosts.ts';
import { imagesOf } from './image-list.ts';
import { handleImages, type ImagesOptions, mirrorLine } from './images.ts';
import { parseManifests } from './manifests.ts';

const images = imagesOf(
  parseManifests(`
kind: Deployment
metadata: {name: a}
spec: {template: {spec: {initContainers: [{image: team/app:1}], containers: [{image: team/app:1}]}}}
---
kind: CronJob
metadata: {name: b}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: ghcr.io/team/other:2}, {name: none}]}}}}}
---
kind: RayCluster
metadata: {name: c}
spec: {headGroupSpec: {template: {spec: {containers: [{image: team/app:1}]}}}}
---
kind: ConfigMap
metadata: {name: d}
data: {image: no/container:1}
`),
);

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-images-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function handled(
  t: TestContext,
  options: Partial<ImagesOptions> = {},
  script: RegistryScript = {},
) {
  const { url, ...scripted } = await scriptedRegistry(t, script);
  const lines: string[] = [];
  const report = await handleImages({
    ...{ images, mirror: { url, isInsecure: false }, hostsFolder: undefined, preload: undefined },
    ...{ platform: 'linux/amd64', onLine: (line) => lines.push(line), ...options },
  });
  return { ...scripted, url, lines, report };
}

test('the images of all containers are listed once, with the objects that use them', () => {
  assert.deepEqual(
    images.map(({ reference, usedBy }) => [reference.name, usedBy]),
    [
      ['docker.io/team/app:1', ['Deployment a', 'RayCluster c']],
      ['ghcr.io/team/other:2', ['CronJob b']],
    ],
  );
});

test('an image that the mirror lacks fails; the others are loaded through it', async (t) => {
  const { report, lines, digest } = await handled(t, { preload: 'mirror' });
  assert.equal(report.ok, false);
  assert.deepEqual(lines, [
    `✓ docker.io/team/app:1: ${digest.slice(0, 19)}; 0.3 MiB loaded; Deployment a, RayCluster c`,
    '✗ ghcr.io/team/other:2: it does not have it; CronJob b',
  ]);
  assert.deepEqual(
    report.images.map(({ bytes }) => bytes),
    [300_024, undefined],
  );
});

test('hosts.toml is written once for each registry, and one of others is left alone', async (t) => {
  const hostsFolder = await folderOf(t);
  const first = await handled(t, { hostsFolder });
  const hub = join(hostsFolder, 'docker.io', 'hosts.toml');
  assert.ok((await readFile(hub, 'utf8')).includes(`[host."${first.url}"]`));
  const mirror = { url: first.url, isInsecure: false };
  const again = await handled(t, { hostsFolder, mirror });
  assert.deepEqual(
    [first, again].map(({ report }) => report.hostsFiles.map(({ isChanged }) => isChanged)),
    [
      [true, true],
      [false, false],
    ],
  );
  const foreign = await folderOf(t);
  await mkdir(join(foreign, 'ghcr.io'));
  await writeFile(join(foreign, 'ghcr.io', 'hosts.toml'), 'server = "https://ghcr.io"\n');
  await assert.rejects(
    handled(t, { hostsFolder: foreign }),
    /was not written by "spillway images"/,
  );
  await assert.rejects(readFile(join(foreign, 'docker.io', 'hosts.toml')), /ENOENT/);
});

test('a containerd that does not read the folder is reported', async (t) => {
  const file = join(await folderOf(t), 'config.toml');
  await writeFile(file, '[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/x"\n');
  assert.equal(await hostsFolderProblem('/x', file), '');
  assert.match(await hostsFolderProblem('/y', file), /does not set config_path = "\/y"/);
  assert.equal(await hostsFolderProblem('/y', `${file}.none`), '');
});

test('a deployment is told what its mirror lacks, and goes on without a mirror', async (t) => {
  const { url } = await scriptedRegistry(t);
  assert.equal(
    await mirrorLine({ url, isInsecure: false }, images),
    `mirror ${url}: has 1 of 2 images; it lacks ghcr.io/team/other:2`,
  );
  const line = await mirrorLine({ url: 'http://127.0.0.1:9', isInsecure: false }, images);
  assert.match(line, /cannot be reached: .* Nodes pull from the registries instead\.$/);
});
