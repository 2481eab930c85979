// What has to be done on a host so that it has what a stack wants, and the script that does it.

import { shellWord } from '../quoting/index.ts';
import type { HostFile, InstalledRelease, RecordedService } from './release-files.ts';
import { encoded, unitPath } from './release-files.ts';

/** Time from ready to the next restart: a router looks at a dead engine each second, and must see it before another one stops. */
const settleSeconds = 3;
/** Runs that ended before a service that starts is given up. */
const restartsMax = 2;

export interface HostActions {
  /** Files that are new or have another content. */
  readonly write: readonly HostFile[];
  readonly removeFiles: readonly string[];
  /** Units that are no longer wanted. */
  readonly removeUnits: readonly string[];
  /** Units whose files change: they are started again, one after the other. */
  readonly restart: readonly string[];
  /** All units that shall run. */
  readonly run: readonly string[];
}

/** @param wanted All files of the host, its record among them. */
export function hostActions(
  installed: InstalledRelease,
  wanted: { readonly files: readonly HostFile[]; readonly services: readonly RecordedService[] },
): HostActions {
  const write = wanted.files.filter(({ path, text }) => installed.files.get(path) !== text);
  const paths = new Set(wanted.files.map(({ path }) => path));
  const units = new Set(wanted.services.map(({ unit }) => unit));
  const changed = new Set(write.map(({ path }) => path));
  const environmentOf = (unit: string) =>
    wanted.files.find(({ path }) => path.endsWith(`/${unit.replace(/\.service$/, '')}.env`))?.path;
  const former = installed.record?.services.map(({ unit }) => unit) ?? [];
  return {
    write,
    removeFiles: [...new Set([...installed.files.keys(), ...former.map(unitPath)])].filter(
      (path) => !paths.has(path),
    ),
    removeUnits: former.filter((unit) => !units.has(unit)),
    restart: [...units].filter(
      (unit) =>
        installed.record?.isComplete === false ||
        changed.has(unitPath(unit)) ||
        changed.has(environmentOf(unit) ?? ''),
    ),
    run: [...units],
  };
}

export function isNothing({ write, removeFiles, removeUnits }: HostActions): boolean {
  return write.length + removeFiles.length + removeUnits.length === 0;
}

/** Stops units that are no longer wanted, writes files, and lets systemd read them. Each file appears whole. */
export function prepareScript(actions: HostActions): string {
  const { removeUnits, removeFiles, write, run } = actions;
  return [
    'set -eu',
    ...definePut,
    ...verified(write),
    ...removeUnits.map((unit) => `systemctl disable --now ${shellWord(unit)} || true`),
    ...removeFiles.map((path) => `rm -f ${shellWord(path)}`),
    ...write.map(putLine),
    'systemctl daemon-reload',
    ...run.map((unit) => `systemctl enable --quiet ${shellWord(unit)}`),
    '',
  ].join('\n');
}

/** Writes one file. */
export function writeScript(file: HostFile): string {
  return ['set -eu', ...definePut, putLine(file), ''].join('\n');
}

const definePut = [
  'umask 077',
  'put() {',
  '  mkdir -p "$(dirname "$1")"',
  '  printf %s "$3" | base64 -d > "$1.new"',
  '  chmod "$2" "$1.new"',
  '  mv -f "$1.new" "$1"',
  '}',
];

function putLine({ path, mode, text }: HostFile): string {
  return `put ${shellWord(path)} ${mode} ${encoded(text)}`;
}

/** Has systemd check new units, where it can, before anything is changed. */
function verified(write: readonly HostFile[]): readonly string[] {
  const units = write.filter(({ path }) => path.endsWith('.service'));
  if (units.length === 0) return [];
  return [
    'if command -v systemd-analyze >/dev/null; then',
    '  checked=$(mktemp -d)',
    '  trap \'rm -rf "$checked"\' EXIT',
    ...units.flatMap(({ path, text }) => {
      const unit = path.slice(path.lastIndexOf('/') + 1);
      return [
        `  printf %s ${encoded(text)} | base64 -d > "$checked/"${shellWord(unit)}`,
        `  if ! said=$(systemd-analyze verify "$checked/"${shellWord(unit)} 2>&1); then printf 'systemd refuses %s: %s\\n' ${shellWord(unit)} "$said" >&2; exit 1; fi`,
      ];
    }),
    'fi',
  ];
}

/**
 * Starts a unit, or starts it again if its files have changed.
 *
 * @param waitSeconds Time until it must respond to health checks; 0: it is not waited for. Prints `late` if it does not.
 */
export function startScript(
  { unit, healthUrl }: Pick<RecordedService, 'unit' | 'healthUrl'>,
  isChanged: boolean,
  waitSeconds: number,
): string {
  const name = shellWord(unit);
  const start = `systemctl ${isChanged ? 'restart' : 'start'} ${name}\n`;
  if (waitSeconds === 0) return start;
  return (
    start +
    `end=$(($(date +%s) + ${waitSeconds}))\n` +
    `until curl -fsSk -m 5 -o /dev/null ${shellWord(healthUrl)} 2>/dev/null; do\n` +
    `  if [ "$(date +%s)" -ge "$end" ] || [ "$(systemctl show ${name} -p NRestarts --value)" -gt ${restartsMax} ]; then echo late; exit 0; fi\n` +
    '  sleep 1\n' +
    'done\n' +
    `sleep ${settleSeconds}\n`
  );
}

/** Removes all that a host has of a stack, caches of models excepted unless `purges`. */
export function removeScript(
  { files, record }: InstalledRelease,
  folder: string,
  purges: boolean,
): string {
  const units = record?.services.map(({ unit }) => unit) ?? [];
  const caches = units.map((unit) => unit.replace(/\.service$/, ''));
  return [
    'set -u',
    ...units.map((unit) => `systemctl disable --now ${shellWord(unit)} || true`),
    ...[...files.keys()].map((path) => `rm -f ${shellWord(path)}`),
    `rmdir ${shellWord(folder)} 2>/dev/null || true`,
    ...(purges
      ? caches.map(
          (name) =>
            `rm -rf ${shellWord(`/var/cache/private/${name}`)} ${shellWord(`/var/cache/${name}`)}`,
        )
      : []),
    'systemctl daemon-reload',
    ...units.map((unit) => `systemctl reset-failed ${shellWord(unit)} 2>/dev/null || true`),
    '',
  ].join('\n');
}
