// Installs or upgrades a stack on hosts with systemd, and waits until it serves completions.
import {
  factsScript,
  type HostActions,
  type HostFacts,
  hostActions,
  type InstalledRelease,
  isNothing,
  neededPrograms,
  parseFacts,
  prepareScript,
  type ReleaseRecord,
  recordFile,
  startScript,
  type WantedStack,
  wantedStack,
  writeScript,
} from '../../core/bare-metal/index.ts';
import { InputError } from '../../core/base/index.ts';
import type { ComponentState, StackState } from '../../core/deploy/index.ts';
import type { Values } from '../../core/values/index.ts';
import type { Served } from '../deploy/index.ts';
import type { HostSession } from './session.ts';
import { waitUntilHostsServe } from './wait.ts';

export interface BareMetalOptions {
  readonly session: HostSession;
  readonly release: string;
  readonly values: Values;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly waitMs: number;
  /** Whether a deployment that does not serve is undone. */
  readonly rollsBack: boolean;
  readonly isDryRun: boolean;
  readonly apiKey?: string | undefined;
  readonly onStep: (line: string) => void;
  readonly onChange: (component: ComponentState) => void;
}

export interface HostChange {
  readonly host: string;
  /** A path, or a unit that goes. */
  readonly object: string;
  readonly change: 'write' | 'remove' | 'keep';
  /** What the file will contain; '' for files with secrets. */
  readonly text: string;
}

export interface BareMetalDeployment {
  readonly revision: number;
  readonly routerUrl: string | undefined;
  readonly changes: readonly HostChange[];
  /** By host, before a dry run and after a deployment. */
  readonly installed: readonly InstalledRelease[];
  /** Undefined for a dry run. */
  readonly outcome: (Served<StackState> & { readonly undone: string }) | undefined;
}

/** systemd of RHEL 8, the oldest whose options the units use. */
const systemdVersionMin = 239;
/** Maximum time of a step that stops and starts a service: it may have to drain. */
const stepMs = 300_000;

/**
 * @throws {NoResponseError} If a host cannot be reached.
 * @throws {InputError} If a host lacks what the values need.
 */
export async function deployOnHosts(options: BareMetalOptions): Promise<BareMetalDeployment> {
  const { session, release, values, environment, onStep } = options;
  const facts = await readFacts(options);
  const hosts = session.hosts.map((host, index) => ({ host, facts: facts[index] as HostFacts }));
  const wanted = wantedStack({ release, values, environment, hosts });
  checkPrograms(values, wanted, facts);
  const installed = await session.installed(release);
  const before = Math.max(0, ...installed.map(({ record }) => record?.revision ?? 0));
  const plan = plannedActions(options, wanted, installed, before);
  const { routerUrl } = wanted;
  const changes = plan.flatMap(({ actions, files }, index) =>
    changesOf(session.hosts[index]?.text ?? '', actions, files),
  );
  const revision = plan.every(({ actions }) => isNothing(actions)) ? before : before + 1;
  if (options.isDryRun) return { revision, routerUrl, changes, installed, outcome: undefined };
  const actions = plan.map((one) => one.actions);
  await apply(options, actions, wanted, before > 0);
  const deployed = await session.installed(release);
  const served = await waitUntilHostsServe({ ...options, installed: deployed, routerUrl });
  const undone =
    served.isServing || !options.rollsBack ? '' : await undo(options, deployed, installed, before);
  if (undone !== '') onStep(`the deployment was ${undone}`);
  return { revision, routerUrl, changes, installed: deployed, outcome: { ...served, undone } };
}

async function readFacts({ session, values, onStep }: BareMetalOptions) {
  const { all, engines, router } = neededPrograms(values);
  const script = factsScript([...new Set([...all, ...engines, ...router])]);
  const facts = await Promise.all(
    session.hosts.map(async (host) => parseFacts(await session.run(host, script))),
  );
  for (const [index, found] of facts.entries()) {
    const host = session.hosts[index]?.text;
    if (!found.isBooted || found.systemdVersion < systemdVersionMin) {
      throw new InputError(
        `${host}: ${found.isBooted ? `systemd ${found.systemdVersion} is too old, ${systemdVersionMin} or newer is needed` : 'systemd does not run this host, so it cannot keep services'}.`,
      );
    }
    const gpus = found.gpus.length === 0 ? 'no NVIDIA GPU' : `${found.gpus.length} NVIDIA GPUs`;
    onStep(`${host}: systemd ${found.systemdVersion}, ${gpus}`);
  }
  return facts;
}

/** Programs are needed where their services are. */
function checkPrograms(values: Values, wanted: WantedStack, facts: readonly HostFacts[]): void {
  const { all, engines, router } = neededPrograms(values);
  for (const [index, { host, services }] of wanted.hosts.entries()) {
    const roles = new Set(services.map(({ role }) => role));
    const needed = [
      ...all,
      ...(roles.has('engine') ? engines : []),
      ...(roles.has('router') || roles.has('cache server') ? router : []),
    ];
    const missing = [...new Set(needed)].filter((name) => !facts[index]?.programs.has(name));
    if (services.length === 0 || missing.length === 0) continue;
    throw new InputError(
      `${host.text} lacks ${missing.map((name) => `"${name}"`).join(', ')} on root's PATH: install it there, name its path in ` +
        'spillway.vllmCommand or spillway.bareMetal.spillwayCommand, or use containers (spillway.bareMetal.container).',
    );
  }
}

/** Actions by host, with the files that it shall have: its services', and the record of the release. */
function plannedActions(
  { session, release }: BareMetalOptions,
  wanted: WantedStack,
  installed: readonly InstalledRelease[],
  before: number,
) {
  const hosts = session.hosts.map(({ text }) => text);
  const filesAt = (revision: number) =>
    wanted.hosts.map(({ files, services }) => {
      const { routerUrl } = wanted;
      const record = { release, revision, isComplete: true, hosts, routerUrl, services };
      return [...files, recordFile(record)];
    });
  const planOf = (revision: number) =>
    filesAt(revision).map((files, index) => ({
      files,
      actions: hostActions(installed[index] as InstalledRelease, {
        files,
        services: wanted.hosts[index]?.services ?? [],
      }),
    }));
  const same = planOf(before);
  return before > 0 && same.every(({ actions }) => isNothing(actions)) ? same : planOf(before + 1);
}

/**
 * Writes all files, then starts the cache server, engines and the router. In an upgrade each service is waited for before the next one stops; one
 * that does not become ready ends the upgrade, so that the others go on as they were.
 */
async function apply(
  { session, onStep, waitMs }: BareMetalOptions,
  actions: readonly HostActions[],
  wanted: WantedStack,
  isUpgrade: boolean,
): Promise<void> {
  const waitSeconds = isUpgrade ? Math.max(1, Math.round(waitMs / 1000)) : 0;
  await Promise.all(
    session.hosts.map(async (host, index) => {
      const own = actions[index] as HostActions;
      if (!isNothing(own)) await session.run(host, prepareScript(begun(own)), stepMs);
      for (const unit of own.removeUnits) onStep(`${host.text}: removed ${unit}`);
    }),
  );
  for (const role of ['cache server', 'engine', 'router'] as const) {
    for (const [index, { host, services }] of wanted.hosts.entries()) {
      for (const service of services.filter((one) => one.role === role)) {
        const { unit } = service;
        const isChanged = actions[index]?.restart.includes(unit) ?? false;
        const script = startScript(service, isChanged, isChanged ? waitSeconds : 0);
        const said = await session.run(host, script, stepMs + 1000 * waitSeconds);
        if (isChanged) onStep(`${host.text}: started ${unit}`);
        if (said.includes('late')) {
          onStep(
            `${host.text}: ${unit} does not become ready; the services after it stay as they are`,
          );
          return;
        }
      }
    }
  }
  await Promise.all(
    session.hosts.map(async (host, index) => {
      const record = actions[index]?.write.find(isRecord);
      if (record !== undefined) await session.run(host, writeScript(record));
    }),
  );
}

/** The record says that services are being started until all are. */
function begun(actions: HostActions): HostActions {
  const write = actions.write.map((file) =>
    isRecord(file)
      ? recordFile({ ...(JSON.parse(file.text) as ReleaseRecord), isComplete: false })
      : file,
  );
  return { ...actions, write };
}

function isRecord({ path }: { readonly path: string }): boolean {
  return path.endsWith('/release.json');
}

function changesOf(
  host: string,
  actions: HostActions,
  files: readonly { readonly path: string; readonly text: string }[],
): readonly HostChange[] {
  const written = new Set(actions.write.map(({ path }) => path));
  return [
    ...files.map(({ path, text }) => ({
      ...{ host, object: path, text: path.endsWith('.env') ? '' : text },
      change: written.has(path) ? ('write' as const) : ('keep' as const),
    })),
    ...actions.removeFiles.map((object) => ({ host, object, text: '', change: 'remove' as const })),
  ];
}

/** Puts the files of the revision before back. @returns What was done, for people. */
async function undo(
  options: BareMetalOptions,
  deployed: readonly InstalledRelease[],
  former: readonly InstalledRelease[],
  revision: number,
): Promise<string> {
  const { session } = options;
  const hosts = former.map(({ files, record }, index) => ({
    host: session.hosts[index] as WantedStack['hosts'][number]['host'],
    files: [...files].map(([path, text]) => ({
      ...{ path, text, mode: path.endsWith('.service') ? '644' : '600' },
    })),
    services: record?.services ?? [],
  }));
  const actions = hosts.map((host, index) =>
    hostActions(deployed[index] as InstalledRelease, host),
  );
  await apply(options, actions, { hosts, routerUrl: undefined }, revision > 0);
  return revision === 0 ? 'removed' : `rolled back to revision ${revision}`;
}
