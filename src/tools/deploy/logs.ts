// Logs of a stack: the lines of all pods of its components, once or as they are written.
import type { IncomingMessage } from 'node:http';
import { InputError, NoResponseError } from '../../core/base/index.ts';
import {
  componentName,
  isSelected,
  type PodFacts,
  readPod,
  readWorkload,
} from '../../core/deploy/index.ts';
import { delay, LineSplitter } from '../../io/processes/index.ts';
import type { Cluster } from './cluster.ts';
import { type Manifest, workloadsOf } from './manifests.ts';

export interface LogLine {
  readonly component: string;
  readonly pod: string;
  readonly container: string;
  readonly line: string;
}

export interface LogOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** Of the release. */
  readonly manifests: readonly Manifest[];
  /** Components, models or pods; all if there is none. */
  readonly names: readonly string[];
  /** Number of last lines of each container. */
  readonly tailLines: number;
  readonly sinceSeconds?: number | undefined;
  /** Whether the containers before their last restarts are meant. */
  readonly isPrevious: boolean;
  /** Goes on until the signal is aborted, also with pods that come later. */
  readonly follows: boolean;
  readonly signal: AbortSignal;
  /** Interval between two looks for new pods. @default 2000 */
  readonly pollMs?: number | undefined;
  /** Reading goes on when it has resolved. */
  readonly onLines: (lines: readonly LogLine[]) => Promise<void>;
  /** A log that cannot be read, with the reason. */
  readonly onProblem: (problem: string) => void;
}

/** Logs that are followed at once; of more pods, the others are named and left out. */
const followedMax = 64;

interface Component {
  readonly name: string;
  readonly selector: Readonly<Record<string, string>>;
}

interface Source {
  readonly component: string;
  readonly pod: string;
  readonly container: string;
  /** Number of the container's restarts: each run has a log. */
  readonly run: number;
}

/**
 * Reads the logs, one after the other, or follows all of them at once.
 *
 * @throws {InputError} If a name is none of the release.
 */
export async function readStackLogs(options: LogOptions): Promise<void> {
  const components = componentsOf(options.manifests);
  const sources = await find(options, components);
  for (const name of options.names) check(name, components, sources);
  if (options.follows) return follow(options, components, sources);
  for (const source of sources.filter((one) => isWanted(options.names, one))) {
    await read(options, source);
  }
}

function componentsOf(manifests: readonly Manifest[]): readonly Component[] {
  return workloadsOf(manifests).map((manifest) => {
    const workload = readWorkload({ ...manifest, status: {} });
    const labels = manifest.metadata.labels ?? {};
    return { name: componentName({ workload, labels }), selector: workload.selector };
  });
}

/** Containers that have run, of all pods, in the order of the components. */
async function find(
  { cluster, namespace, isPrevious }: LogOptions,
  components: readonly Component[],
): Promise<readonly Source[]> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  const pods = (await cluster.list(path)).map(readPod);
  return components.flatMap(({ name: component, selector }) =>
    pods
      .filter(({ labels }) => isSelected(labels, selector))
      .flatMap((pod) =>
        containersOf(pod, isPrevious).map(({ name, restarts }) => ({
          ...{ component, pod: pod.name, container: name, run: restarts },
        })),
      ),
  );
}

function containersOf({ containers }: PodFacts, isPrevious: boolean) {
  return containers.filter(({ isRunning, ended, restarts }) =>
    isPrevious ? restarts > 0 : isRunning || ended !== undefined,
  );
}

/** @throws {InputError} If nothing has this name; the message says what there is. */
function check(name: string, components: readonly Component[], sources: readonly Source[]): void {
  if (components.some((component) => isNamed(component.name, name))) return;
  if (sources.some(({ pod }) => pod === name)) return;
  const known = components.map((component) => component.name).join(', ') || 'none';
  throw new InputError(
    `The release has no component, model or pod "${name}"; its components: ${known}.`,
  );
}

/** `engine llama` is also `engine`, as all engines are, and `llama`. */
function isNamed(component: string, name: string): boolean {
  return component === name || component.split(' ').includes(name);
}

function isWanted(names: readonly string[], { component, pod }: Source): boolean {
  return names.length === 0 || names.some((name) => name === pod || isNamed(component, name));
}

/** Looks for pods again and again, since a rollout replaces all of them. */
async function follow(
  options: LogOptions,
  components: readonly Component[],
  first: readonly Source[],
): Promise<void> {
  const { names, signal, onProblem, pollMs = 2_000 } = options;
  const known = new Set<string>();
  let open = 0;
  let isFullTold = false;
  for (let sources = first; ; ) {
    for (const source of sources.filter((one) => isWanted(names, one))) {
      const key = `${source.pod}/${source.container}/${source.run}`;
      if (known.has(key)) continue;
      if (open >= followedMax) {
        if (!isFullTold) onProblem(`more than ${followedMax} logs; further ones are left out`);
        isFullTold = true;
        break;
      }
      known.add(key);
      open += 1;
      void read(options, source).finally(() => {
        open -= 1;
      });
    }
    await delay(pollMs, signal);
    if (signal.aborted) return;
    // An API server that restarts is asked again.
    sources = await find(options, components).catch((error: Error) => {
      if (!signal.aborted) onProblem(error.message);
      return sources;
    });
    // Names of pods that are gone never come back.
    const there = new Set(sources.map((one) => `${one.pod}/${one.container}/${one.run}`));
    for (const key of known) if (!there.has(key)) known.delete(key);
  }
}

async function read(options: LogOptions, source: Source): Promise<void> {
  const { cluster, namespace, follows, onProblem, signal } = options;
  const { pod, container } = source;
  const query = new URLSearchParams({
    ...{ container, tailLines: String(options.tailLines) },
    ...(options.sinceSeconds !== undefined && { sinceSeconds: String(options.sinceSeconds) }),
    ...(options.isPrevious && { previous: 'true' }),
    ...(follows && { follow: 'true' }),
  });
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log?${query}`;
  try {
    await readLines(await cluster.open(path), options, source);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof NoResponseError && !follows) throw error;
    // A pod whose node is gone has no log, which says nothing about the others.
    onProblem(`${pod}: ${error instanceof Error ? error.message : error}`);
  }
}

async function readLines(
  response: IncomingMessage,
  { onLines, signal }: LogOptions,
  { component, pod, container }: Source,
): Promise<void> {
  let lines: LogLine[] = [];
  const splitter = new LineSplitter((line) => lines.push({ component, pod, container, line }));
  const tell = async () => {
    const told = lines;
    lines = [];
    if (told.length > 0) await onLines(told);
  };
  const abort = () => response.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    for await (const text of response.setEncoding('utf8') as AsyncIterable<string>) {
      splitter.push(text);
      await tell();
    }
    splitter.end();
    await tell();
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
