// What pods of engines say of themselves, from statuses as kubelets write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOfVersion, readEnginePod, waitOfVersion } from './engine-pod.ts';
import { versionLabel } from './rollout/engine-version.ts';

let made = 0;

function pod(container: object, more: { readonly isReady?: boolean; readonly node?: string } = {}) {
  made += 1;
  const { isReady = false, node = 'node' } = more;
  return readEnginePod({
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name: `qwen-${made}`, uid: String(made), labels: { [versionLabel]: 'v1' } },
    spec: {
      nodeName: node,
      containers: [{ name: 'vllm', ports: [{ name: 'http', containerPort: 8100 }] }],
    },
    status: {
      ...{ phase: 'Running', podIP: '10.0.0.7' },
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
      containerStatuses: [{ name: 'vllm', ready: isReady, restartCount: 0, ...container }],
    },
  });
}

const failure = (container: object) => pod(container).failure;
const waiting = (reason: string, message?: string) => ({ state: { waiting: { reason, message } } });
const ended = (exitCode: number, message = '', reason = 'Error') => ({
  lastState: { terminated: { exitCode, message, reason } },
});

test('a crash loop is a failure, with the last lines of its log', () => {
  const log = 'INFO starting\nTraceback (most recent call last):\n\nValueError: no such model\n';
  assert.equal(
    failure({ ...waiting('CrashLoopBackOff'), ...ended(1, log), restartCount: 2 }),
    'container vllm crashes (exit status 1 after 2 restarts): INFO starting / Traceback (most recent call last): / ValueError: no such model',
  );
  // Between two crashes of the loop it runs.
  assert.match(
    failure({ state: { running: {} }, ...ended(1), restartCount: 2 }) ?? '',
    /exit status 1 after 2 restarts/,
  );
  assert.match(
    failure({ ...waiting('CrashLoopBackOff'), ...ended(137, '', 'OOMKilled'), restartCount: 1 }) ??
      '',
    /crashes \(OOMKilled after 1 restart\)$/,
  );
});

test('one crash, and an image that is being pulled, are no failures', () => {
  assert.equal(failure({ state: { running: {} }, ...ended(1), restartCount: 1 }), undefined);
  assert.equal(failure(waiting('ContainerCreating')), undefined);
  // The kubelet tries again before it backs off.
  assert.equal(failure(waiting('ErrImagePull')), undefined);
});

test('an image that cannot be had, and a container that cannot be made, are failures', () => {
  assert.equal(
    failure(waiting('ImagePullBackOff', 'Back-off pulling image "vllm:nope": not found')),
    'container vllm: ImagePullBackOff: Back-off pulling image "vllm:nope": not found',
  );
  assert.equal(
    failure(waiting('CreateContainerConfigError', 'secret "hf" not found')),
    'container vllm: CreateContainerConfigError: secret "hf" not found',
  );
});

test('an engine that crashed often and serves now is none', () => {
  assert.equal(
    pod({ state: { running: {} }, ...ended(1), restartCount: 9 }, { isReady: true }).failure,
    undefined,
  );
});

test('a version fails if all of its pods that have a node fail', () => {
  const crashing = () => pod({ ...waiting('CrashLoopBackOff'), ...ended(1), restartCount: 3 });
  const starting = () => pod({ state: { running: {} } });
  const unscheduled = pod({}, { node: '' });
  const [first] = [crashing()];
  assert.equal(
    failureOfVersion([first, crashing(), unscheduled], 'v1'),
    `pod ${first.name}: ${first.failure}`,
  );
  assert.equal(failureOfVersion([crashing(), starting()], 'v1'), undefined);
  const ready = pod({ state: { running: {} } }, { isReady: true });
  assert.equal(failureOfVersion([crashing(), ready], 'v1'), undefined);
  assert.equal(failureOfVersion([unscheduled], 'v1'), undefined);
  assert.equal(failureOfVersion([crashing()], 'v2'), undefined);
  assert.equal(failureOfVersion([{ ...crashing(), isDeleting: true }], 'v1'), undefined);
});

test('what a pod waits for is said in Kubernetes’ words', () => {
  const [one] = [pod({ state: { running: {} } })];
  assert.equal(
    waitOfVersion([one], 'v1'),
    `pod ${one.name}: it runs, and has not served a completion yet`,
  );
  assert.equal(waitOfVersion([], 'v1'), '');
});

test('the URL of an engine is that of its named port, and of IPv6 in brackets', () => {
  assert.equal(pod({}).url, 'http://10.0.0.7:8100');
  const status = { phase: 'Running', podIP: 'fd00::7' };
  const bare = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'one' } };
  assert.equal(
    readEnginePod({ ...bare, spec: { containers: [] }, status }).url,
    'http://[fd00::7]:8000',
  );
  assert.equal(readEnginePod({ ...bare, status: { phase: 'Failed', podIP: '10.0.0.7' } }).url, '');
});
