// The state of one pod: what it waits for or why it fails, and what to do about it.
import { counted } from '../base/index.ts';
import { causeOf, stageOf } from './log-causes.ts';
import type { ContainerFacts, EventFacts, PodFacts } from './observed.ts';
import { readUnscheduled } from './unscheduled.ts';

/** `waiting` may end by itself or by somebody's help; `failed` does not end without a change. */
export type Health = 'ready' | 'starting' | 'waiting' | 'failed' | 'stopping';

export type Cause =
  | 'image'
  | 'unschedulable'
  | 'crash'
  | 'configuration'
  | 'volume'
  | 'probe'
  | 'download'
  | 'evicted'
  | 'quota'
  | 'none';

export interface PodState {
  readonly pod: string;
  readonly health: Health;
  readonly cause: Cause;
  /** One phrase; '' for a pod that is ready. */
  readonly reason: string;
  /** What to do; '' if nothing. */
  readonly next: string;
  /** Last lines of the container that ended. */
  readonly log: readonly string[];
}

/** The log that explains a pod: of the container that runs, or that ended. */
export interface WantedLog {
  readonly container: string;
  readonly isPrevious: boolean;
}

/** Ends after which a container counts as failed: one may be an accident, as of a node under pressure. */
const restartsMax = 2;
/** Lines of a log that are shown. */
const shownLines = 10;

/**
 * @param events About this pod, oldest first.
 * @param log Of the container that `wantedLog` names.
 */
export function podState(
  pod: PodFacts,
  events: readonly EventFacts[],
  log: readonly string[] = [],
): PodState {
  const state = (health: Health, cause: Cause, reason: string, next = ''): PodState => ({
    ...{ pod: pod.name, health, cause, reason, next },
    log: cause === 'crash' ? log.slice(-shownLines) : [],
  });
  if (pod.isTerminating) return state('stopping', 'none', 'stopping');
  if (pod.isReady) return state('ready', 'none', '');
  if (pod.phase === 'Failed') {
    const why = [pod.reason, pod.message].filter(Boolean).join(': ');
    return state('failed', 'evicted', why || 'the pod failed', advice[pod.reason] ?? describe(pod));
  }
  if (pod.node === '' && pod.unscheduled !== undefined) {
    const { missing, next } = readUnscheduled(pod.unscheduled);
    const what = missing.length > 0 ? `no node has ${missing.join(', ')}` : pod.unscheduled;
    return state('waiting', 'unschedulable', `pending: ${what}`, next);
  }
  if (pod.node === '') return state('starting', 'none', 'waiting for the scheduler');
  for (const container of pod.containers) {
    const problem = containerProblem(container, log);
    if (problem !== undefined) {
      return state(problem.health, problem.cause, problem.reason, problem.next || describe(pod));
    }
  }
  return starting(pod, events, log, state);
}

/** Returns which log to read before `podState` is asked again; undefined if none would tell more. */
export function wantedLog(pod: PodFacts): WantedLog | undefined {
  if (pod.isReady || pod.isTerminating) return undefined;
  const ended = pod.containers.find(({ ended, isReady }) => ended !== undefined && !isReady);
  if (ended !== undefined && (ended.ended?.exitCode !== 0 || ended.restarts > 0)) {
    return { container: ended.name, isPrevious: ended.isRunning || ended.waiting !== undefined };
  }
  const running = pod.containers.find(({ isRunning, isReady }) => isRunning && !isReady);
  return running && { container: running.name, isPrevious: false };
}

interface Problem {
  readonly health: Health;
  readonly cause: Cause;
  readonly reason: string;
  readonly next: string;
}

function containerProblem(container: ContainerFacts, log: readonly string[]): Problem | undefined {
  const { waiting, ended, restarts, image } = container;
  const reason = waiting?.reason ?? '';
  if (
    /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|ImageInspectError|RegistryUnavailable)$/.test(
      reason,
    )
  ) {
    return imageProblem(image, reason, waiting?.message ?? '');
  }
  if (
    /^(CreateContainerConfigError|CreateContainerError|RunContainerError|PreCreateHookError|PostStartHookError)$/.test(
      reason,
    )
  ) {
    const message = shortened(waiting?.message ?? '');
    const missing = /(secret|configmap) "([^"]+)" not found/.exec(message);
    const next = missing
      ? `create the ${missing[1]} ${missing[2]}, or correct its name in the values`
      : '';
    return { health: 'failed', cause: 'configuration', reason: `${reason}: ${message}`, next };
  }
  const isBroken = ended !== undefined && (ended.exitCode !== 0 || reason === 'CrashLoopBackOff');
  if (!isBroken || container.isReady || (container.isRunning && restarts === 0)) return undefined;
  const known = causeOf(log);
  const how =
    ended.reason === 'OOMKilled'
      ? 'was killed because it used more memory than its limit'
      : `ended with exit code ${ended.exitCode}`;
  return {
    health: restarts > restartsMax || (known !== undefined && restarts > 0) ? 'failed' : 'waiting',
    cause: 'crash',
    reason: `${container.name} ${how}, ${counted(restarts, 'restart')}${known ? `: ${known.cause}` : ''}`,
    next:
      known?.next ??
      (ended.reason === 'OOMKilled' ? 'raise requestMemory and limitMemory of the model' : ''),
  };
}

function imageProblem(image: string, reason: string, message: string): Problem {
  const text = shortened(message);
  const isMissing = /not found|manifest unknown|does not exist/i.test(message);
  const isRefused = /unauthorized|denied|forbidden|authentication required/i.test(message);
  const isFinal = isMissing || isRefused || /InvalidImageName|ErrImageNeverPull/.test(reason);
  const next = isRefused
    ? 'check the name, and give credentials with imagePullSecret of the model or routerSpec.imagePullSecrets'
    : isMissing || reason === 'ErrImageNeverPull'
      ? 'check repository and tag; on a local cluster load the image (kind load docker-image, minikube image load)'
      : reason === 'InvalidImageName'
        ? 'check repository and tag'
        : "check that the nodes reach the registry; a mirror avoids a registry's rate limit";
  return {
    health: isFinal ? 'failed' : 'waiting',
    cause: 'image',
    reason: `image ${image} cannot be pulled (${reason})${text === '' ? '' : `: ${text}`}`,
    next,
  };
}

/** A pod that has a node, and no container that failed. */
function starting(
  pod: PodFacts,
  events: readonly EventFacts[],
  log: readonly string[],
  state: (health: Health, cause: Cause, reason: string, next?: string) => PodState,
): PodState {
  const last = (pattern: RegExp) => events.findLast(({ reason }) => pattern.test(reason));
  const isRunning = pod.containers.some((container) => container.isRunning);
  if (!isRunning) {
    const volume = last(/^(FailedMount|FailedAttachVolume|FailedMapVolume)$/);
    if (volume !== undefined) {
      return state('waiting', 'volume', `volume: ${shortened(volume.message)}`, describe(pod));
    }
    const sandbox = last(/^(FailedCreatePodSandBox|NetworkNotReady)$/);
    if (sandbox !== undefined) {
      const next = /runtime.*handler|RuntimeClass/i.test(sandbox.message)
        ? 'install the NVIDIA container toolkit on the node, or set runtimeClassName: ""'
        : describe(pod);
      return state('waiting', 'configuration', shortened(sandbox.message), next);
    }
    const pulling = last(/^(Pulling|Pulled)$/);
    return pulling?.reason === 'Pulling'
      ? state('starting', 'image', shortened(pulling.message).toLowerCase())
      : state('starting', 'none', 'creating containers');
  }
  const stage = stageOf(log);
  if (stage !== undefined) {
    return state('starting', /load|model/.test(stage) ? 'download' : 'none', stage);
  }
  const probe = last(/^(Unhealthy|ProbeWarning)$/);
  if (probe !== undefined) {
    const started = pod.containers.every(({ isStarted }) => isStarted);
    const next = started ? describe(pod, 'logs') : '';
    return state(started ? 'waiting' : 'starting', 'probe', shortened(probe.message), next);
  }
  const tail = log.findLast((line) => line.trim() !== '');
  return state(
    'starting',
    'none',
    tail === undefined ? 'starting' : `starting: ${shortened(tail)}`,
  );
}

const advice: Readonly<Record<string, string>> = {
  Evicted: 'the node is short of memory or disk: raise requests, or add nodes',
  UnexpectedAdmissionError: 'restart the device plugin of the node',
};

function describe(pod: PodFacts, verb: 'describe' | 'logs' = 'describe'): string {
  return verb === 'logs'
    ? `see "kubectl logs ${pod.name}"`
    : `see "kubectl describe pod ${pod.name}"`;
}

const messageCharactersMax = 240;

/** One line of at most 240 characters. */
function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim().replace(/\.$/, '');
  return line.length > messageCharactersMax ? `${line.slice(0, messageCharactersMax)} …` : line;
}
