import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../base/index.ts';
import { parseImage } from './image-reference.ts';
import { hostsToml, minikubeFlags } from './mirror-hosts.ts';

const digest = `sha256:${'0a'.repeat(32)}`;

test('names of images are completed as Docker does', () => {
  const full = (text: string) => parseImage(text).name;
  assert.equal(full('redis'), 'docker.io/library/redis:latest');
  assert.equal(full('vllm/vllm-openai:v0.32.0'), 'docker.io/vllm/vllm-openai:v0.32.0');
  assert.equal(full('index.docker.io/library/redis:7'), 'docker.io/library/redis:7');
  assert.equal(full('localhost/spillway:test'), 'localhost/spillway:test');
  assert.equal(full('10.0.0.1:5000/a/b_c:1'), '10.0.0.1:5000/a/b_c:1');
  assert.equal(full(`ghcr.io/owner/name:tag@${digest}`), `ghcr.io/owner/name@${digest}`);
  assert.deepEqual(parseImage(`registry.k8s.io/pause@${digest}`), {
    ...{ name: `registry.k8s.io/pause@${digest}`, registry: 'registry.k8s.io' },
    ...{ repository: 'pause', version: digest, digest },
  });
});

test('what is no name of an image is refused, in paths too', () => {
  for (const text of [
    ...[
      '',
      'Upper/Case',
      'a/../b',
      'ghcr.io/',
      'a:',
      'a:b:c',
      'a@sha256:12',
      'a b',
      'a/b?c',
      '../a:1',
    ],
    `a@${digest}@${digest}`,
  ]) {
    assert.throws(() => parseImage(text), InputError, text);
  }
});

test('containerd tries the mirror first, then the registry itself', () => {
  assert.equal(
    hostsToml('docker.io', { url: 'http://10.0.0.1:5000', isInsecure: false }),
    `# Written by "spillway images".
server = "https://registry-1.docker.io"

[host."http://10.0.0.1:5000"]
  capabilities = ["pull", "resolve"]
`,
  );
  const insecure = { url: 'https://mirror:5000', isInsecure: true };
  assert.match(hostsToml('ghcr.io', insecure), /^server = "https:\/\/ghcr\.io"$/m);
  assert.match(hostsToml('ghcr.io', insecure), /^ {2}skip_verify = true$/m);
});

test('containerd is told the path of a mirror and its login', () => {
  const mirror = { url: 'https://m/v2/{registry}', isInsecure: false };
  const login = { user: 'ann', password: 'secret' };
  assert.equal(
    hostsToml('quay.io', { ...mirror, login }),
    `# Written by "spillway images".
server = "https://quay.io"

[host."https://m/v2/quay.io"]
  capabilities = ["pull", "resolve"]
  override_path = true
  [host."https://m/v2/quay.io".header]
    authorization = "Basic YW5uOnNlY3JldA=="
`,
  );
  // containerd adds /v2 to this one by itself.
  assert.doesNotMatch(hostsToml('quay.io', { ...mirror, url: 'https://m/hub' }), /override_path/);
});

test('Docker in minikube uses no mirror with a path or a login', () => {
  const login = { user: 'ann', password: 'secret' };
  assert.deepEqual(minikubeFlags({ url: 'https://m', isInsecure: false, login }), []);
  assert.deepEqual(minikubeFlags({ url: 'https://m/hub', isInsecure: true }), []);
});

test('minikube trusts a mirror without a certificate only if asked', () => {
  const url = 'https://mirror:5000';
  assert.deepEqual(minikubeFlags({ url, isInsecure: false }), [`--registry-mirror=${url}`]);
  assert.deepEqual(minikubeFlags({ url, isInsecure: true }), [
    ...[`--registry-mirror=${url}`, '--insecure-registry=mirror:5000'],
  ]);
});
