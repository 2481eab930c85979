// Reasons of pods that do not start, from what a real API server reports of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEvent, readPod } from './observed.ts';
import { podState, wantedLog } from './pod-state.ts';

interface Pieces {
  readonly phase?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly node?: string;
  readonly deletionTimestamp?: string;
  readonly conditions?: readonly object[];
  readonly container?: object;
  readonly init?: object;
}

function pod(pieces: Pieces = {}) {
  const { node = 'n1', phase = 'Pending', conditions = [], container, init, ...status } = pieces;
  const { deletionTimestamp, ...rest } = status;
  const one = (state: object, name: string) => ({
    ...{ name, image: 'vllm/vllm-openai:v1', ready: false, started: false, restartCount: 0 },
    ...state,
  });
  return readPod({
    metadata: { name: 'p', ...(deletionTimestamp && { deletionTimestamp }) },
    spec: { nodeName: node },
    status: {
      ...{ ...rest, phase, conditions },
      containerStatuses: container ? [one(container, 'vllm')] : [],
      initContainerStatuses: init ? [one(init, 'download')] : [],
    },
  });
}

const waitingFor = (reason: string, message = '') => ({ state: { waiting: { reason, message } } });
const running = { state: { running: {} } };
const event = (reason: string, message: string) =>
  readEvent({
    ...{ involvedObject: { kind: 'Pod', name: 'p' }, type: 'Warning' },
    reason,
    message,
  });

test('a pod that is ready or stops needs nothing', () => {
  const ready = pod({ conditions: [{ type: 'Ready', status: 'True' }] });
  assert.deepEqual([podState(ready, []).health, podState(ready, []).reason], ['ready', '']);
  assert.equal(wantedLog(ready), undefined);
  const stopping = pod({ deletionTimestamp: '2026-01-01T00:00:00Z', container: running });
  assert.deepEqual(
    [podState(stopping, []).health, podState(stopping, []).reason],
    ['stopping', 'stopping'],
  );
  assert.equal(wantedLog(stopping), undefined);
});

test('a pod without a node says what no node has', () => {
  const message =
    '0/3 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }, 2 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available.';
  const conditions = [{ type: 'PodScheduled', status: 'False', message }];
  const state = podState(pod({ node: '', conditions }), []);
  assert.deepEqual(
    [state.health, state.cause, state.reason],
    [
      'waiting',
      'unschedulable',
      'pending: no node has nvidia.com/gpu, a toleration of node.kubernetes.io/disk-pressure',
    ],
  );
  assert.match(state.next, /^add nodes with free GPUs/);
  assert.equal(podState(pod({ node: '' }), []).reason, 'waiting for the scheduler');
});

test('an image that is missing, refused or late has another next step each', () => {
  const of = (reason: string, message: string) =>
    podState(pod({ container: waitingFor(reason, message) }), []);
  const missing = of('ImagePullBackOff', 'Back-off pulling image "x": manifest unknown: not found');
  assert.deepEqual([missing.health, missing.cause], ['failed', 'image']);
  assert.match(
    missing.reason,
    /^image vllm\/vllm-openai:v1 cannot be pulled \(ImagePullBackOff\): /,
  );
  assert.match(missing.next, /^check repository and tag; on a local cluster load the image/);
  const refused = of('ErrImagePull', 'failed to authorize: 401 Unauthorized');
  assert.equal(refused.health, 'failed');
  assert.match(refused.next, /give credentials with imagePullSecret/);
  const late = of('ErrImagePull', 'dial tcp 1.2.3.4:443: i/o timeout');
  assert.equal(late.health, 'waiting');
  assert.match(late.next, /^check that the nodes reach the registry/);
  assert.equal(of('InvalidImageName', '').next, 'check repository and tag');
});

test('a secret that is missing is named', () => {
  const state = podState(
    pod({ container: waitingFor('CreateContainerConfigError', 'secret "hf" not found') }),
    [],
  );
  assert.deepEqual([state.health, state.cause], ['failed', 'configuration']);
  assert.equal(state.next, 'create the secret hf, or correct its name in the values');
});

test('a crash shows the known cause and the last ten lines of the log', () => {
  const crashed = pod({
    container: {
      ...waitingFor('CrashLoopBackOff'),
      restartCount: 1,
      lastState: { terminated: { exitCode: 1, reason: 'Error' } },
    },
  });
  assert.deepEqual(wantedLog(crashed), { container: 'vllm', isPrevious: true });
  const log = [...Array.from({ length: 30 }, (_, index) => `line ${index}`), 'CUDA out of memory.'];
  const state = podState(crashed, [], log);
  assert.deepEqual([state.health, state.cause], ['failed', 'crash']);
  assert.equal(
    state.reason,
    "vllm ended with exit code 1, 1 restart: the model does not fit into the GPU's memory",
  );
  assert.match(state.next, /^lower maxModelLen/);
  assert.deepEqual(state.log, log.slice(-10));
});

test('a crash without a known cause counts as failed from the third restart on', () => {
  const crashed = (restartCount: number) =>
    podState(
      pod({
        container: {
          ...waitingFor('CrashLoopBackOff'),
          ...{ restartCount, lastState: { terminated: { exitCode: 3 } } },
        },
      }),
      [],
      ['hm'],
    );
  assert.equal(crashed(2).health, 'waiting');
  assert.equal(crashed(3).health, 'failed');
  assert.equal(crashed(3).reason, 'vllm ended with exit code 3, 3 restarts');
  assert.equal(crashed(3).next, 'see "kubectl describe pod p"');
});

test('a container that used too much memory says so', () => {
  const killed = { terminated: { exitCode: 137, reason: 'OOMKilled' } };
  const state = podState(
    pod({ container: { ...waitingFor('CrashLoopBackOff'), restartCount: 4, lastState: killed } }),
    [],
  );
  assert.match(state.reason, /^vllm was killed because it used more memory than its limit, 4 /);
  assert.match(state.next, /^raise requestMemory/);
});

test('the log of an init container that failed is asked for before that of others', () => {
  const state = pod({
    init: { state: { terminated: { exitCode: 1 } }, restartCount: 0 },
    container: waitingFor('PodInitializing'),
  });
  assert.deepEqual(wantedLog(state), { container: 'download', isPrevious: false });
  const explained = podState(state, [], ['huggingface_hub.errors.GatedRepoError: 403']);
  assert.equal(explained.cause, 'crash');
  assert.match(
    explained.reason,
    /^download ended with exit code 1, 0 restarts: the model is gated/,
  );
  assert.match(explained.next, /set hf_token/);
});

test('a start says how far the download of the model has come', () => {
  const started = pod({ phase: 'Running', container: running });
  assert.deepEqual(wantedLog(started), { container: 'vllm', isPrevious: false });
  const log = ['Fetching 8 files:  25%|██', 'Fetching 8 files:  62%|█████', 'other words'];
  const state = podState(started, [event('Unhealthy', 'Startup probe failed')], log);
  assert.deepEqual(
    [state.health, state.cause, state.reason],
    ['starting', 'download', 'downloading the model, 62 %'],
  );
  assert.deepEqual(state.log, []);
});

test('a probe that fails is the reason once the container has started', () => {
  const events = [event('Unhealthy', 'Readiness probe failed: statuscode: 503.')];
  const before = podState(pod({ phase: 'Running', container: running }), events);
  assert.deepEqual([before.health, before.cause, before.next], ['starting', 'probe', '']);
  const later = podState(
    pod({ phase: 'Running', container: { ...running, started: true } }),
    events,
  );
  assert.deepEqual(
    [later.health, later.cause, later.reason, later.next],
    ['waiting', 'probe', 'Readiness probe failed: statuscode: 503', 'see "kubectl logs p"'],
  );
});

test('a pod with a node waits for its volume, its sandbox or its image, by the last event', () => {
  const creating = pod({ container: waitingFor('ContainerCreating') });
  const of = (...events: readonly ReturnType<typeof event>[]) => podState(creating, events);
  assert.equal(of(event('FailedMount', 'no volume v')).cause, 'volume');
  assert.match(of(event('FailedMount', 'no volume v')).reason, /^volume: no volume v$/);
  const sandbox = of(
    event('FailedCreatePodSandBox', 'no runtime for handler "nvidia" is configured'),
  );
  assert.match(sandbox.next, /^install the NVIDIA container toolkit/);
  const pulling = of(event('Pulling', 'Pulling image "x"'));
  assert.deepEqual([pulling.health, pulling.reason], ['starting', 'pulling image "x"']);
  const pulled = of(event('Pulling', 'Pulling image "x"'), event('Pulled', 'Pulled'));
  assert.equal(pulled.reason, 'creating containers');
});

test('a pod that was evicted tells the reason of the node', () => {
  const evicted = pod({ phase: 'Failed', reason: 'Evicted', message: 'low on memory' });
  const state = podState(evicted, []);
  assert.deepEqual([state.cause, state.reason], ['evicted', 'Evicted: low on memory']);
  assert.match(state.next, /^the node is short of memory or disk/);
});

test('a message of any length becomes one line of at most 242 characters', () => {
  const long = podState(pod({ phase: 'Running', container: running }), [], ['x\ty '.repeat(500)]);
  assert.ok(long.reason.length <= 'starting: '.length + 242);
  assert.doesNotMatch(long.reason, /[\t\n]/);
});
