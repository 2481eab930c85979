// Where the files of a stack are on a host, and how they are read.
import { InputError } from '../base/index.ts';
import { shellWord } from '../quoting/index.ts';

/** A file of the stack on a host. */
export interface HostFile {
  readonly path: string;
  /** Octal, such as `600`. */
  readonly mode: string;
  readonly text: string;
}

/** What a host has of a stack. */
export interface InstalledRelease {
  /** Text by path. */
  readonly files: ReadonlyMap<string, string>;
  readonly record: ReleaseRecord | undefined;
}

/** The stack as it was deployed, on each of its hosts. */
export interface ReleaseRecord {
  readonly release: string;
  readonly revision: number;
  /** Whether all services run with these files; false while they are started, and after an upgrade that ended early. */
  readonly isComplete: boolean;
  /** All hosts, as written. */
  readonly hosts: readonly string[];
  /** URL of the router for clients; undefined without one. */
  readonly routerUrl: string | undefined;
  /** Of this host, in the order in which they start. */
  readonly services: readonly RecordedService[];
}

export type ServiceRole = 'cache server' | 'engine' | 'router';

export interface RecordedService {
  readonly unit: string;
  /** As the router and the values call it, such as `qwen-1`. */
  readonly name: string;
  /** Such as `engine qwen`: the services of one component have the same name. */
  readonly component: string;
  readonly role: ServiceRole;
  /** Where it says that it is ready, from its own host. */
  readonly healthUrl: string;
}

const unitFolder = '/etc/systemd/system';

/**
 * The underscore, which no name of a release has, keeps the units of release "vllm" with an engine "a-router" apart from
 * those of release "vllm-a".
 */
export function unitName(release: string, service: string): string {
  return `spillway-${release}_${service.replace(/[^\w.-]+/g, '-')}.service`;
}

export function unitPath(unit: string): string {
  return `${unitFolder}/${unit}`;
}

export function releaseFolder(release: string): string {
  return `/etc/spillway/${release}`;
}

/** The file that holds the record of a release. */
export function recordFile(record: ReleaseRecord): HostFile {
  const path = `${releaseFolder(record.release)}/release.json`;
  return { path, mode: '600', text: `${JSON.stringify(record, null, 2)}\n` };
}

/** A file may have this many bytes, and a release this many files, before they count as not ours. */
const fileBytesMax = 1 << 20;
const filesMax = 1_000;

/** Prints each file of a release as one line: its path and its content in base64. */
export function readScript(release: string): string {
  const folder = shellWord(releaseFolder(release));
  return [
    `for f in ${unitFolder}/spillway-${release}_*.service ${folder}/*.env ${folder}/release.json; do`,
    `  if [ -f "$f" ]; then printf 'file %s ' "$f"; head -c ${fileBytesMax} "$f" | base64 | tr -d '\\n'; echo; fi`,
    'done',
    '',
  ].join('\n');
}

/** @throws {InputError} If the record of the release cannot be read. */
export function parseInstalled(text: string, host: string, release: string): InstalledRelease {
  const files = new Map<string, string>();
  for (const line of text.split('\n').slice(0, filesMax)) {
    const [key, path, content = ''] = line.split(' ');
    if (key === 'file' && path !== undefined) files.set(path, decoded(content));
  }
  // Only the record says which units are this release's.
  const text0 = files.get(`${releaseFolder(release)}/release.json`);
  if (text0 === undefined) return { files: new Map(), record: undefined };
  try {
    const record = JSON.parse(text0) as ReleaseRecord;
    const own = new Set(record.services.map(({ unit }) => unitPath(unit)));
    const kept = [...files].filter(([path]) => !path.startsWith(unitFolder) || own.has(path));
    return { files: new Map(kept), record };
  } catch (cause) {
    throw new InputError(
      `${host}: ${releaseFolder(release)}/release.json is not what "spillway deploy" writes; remove it, and deploy again.`,
      { cause },
    );
  }
}

function decoded(base64: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
}

export function encoded(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
