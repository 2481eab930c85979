// The Prometheus of `spillway up`: its configuration in a folder, its command, and what to say if it is not installed.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import type { Backend, EnginePlan } from '../../core/launch/index.ts';
import {
  alertRules,
  plainScope,
  prometheusConfig,
  recordingRules,
  rulesFile,
  type ScrapeJob,
  type ScrapeTarget,
} from '../../core/observability/index.ts';
import type { Values } from '../../core/values/index.ts';
import {
  assertPortFree,
  findProgram,
  freePorts,
  type ServiceSpec,
} from '../../io/processes/index.ts';
import { temporaryFolder } from '../../io/temporary/index.ts';

/** Replaying its log of a long run takes a while. */
const startDeadlineMs = 60_000;
const stopGraceMs = 10_000;
const runbooks = 'docs/guide/alerts.md';

/** What is scraped. */
interface Scraped {
  readonly name: string;
  /** Base URL. */
  readonly url: string;
  /** Whether its certificate is one of the stack's own. */
  readonly hasOwnCertificate: boolean;
}

/** Where it listens, and how it is started. */
export interface LocalPrometheus {
  readonly url: string;
  readonly spec: ServiceSpec;
  /** Removes what is not to be kept; after the process has ended. */
  remove(): void;
}

/** One sentence if the values ask for a Prometheus that is not installed. */
export function prometheusNote(
  { spillway }: Values,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const { prometheus, prometheusCommand } = spillway.observability;
  const [program = ''] = prometheusCommand;
  if (!prometheus || findProgram(program, environment['PATH']) !== undefined) return undefined;
  return (
    `spillway.observability.prometheus has no effect: there is no program "${program}". Install it (Debian and Ubuntu: apt-get install prometheus; ` +
    'macOS: brew install prometheus; otherwise https://prometheus.io/download), or set spillway.observability.prometheusCommand.'
  );
}

/**
 * Chooses its port. `undefined` if the values do not ask for it, or it is not installed.
 *
 * @throws {InputError} If the port is in use.
 */
export async function choosePrometheusPort(
  values: Values,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number | undefined> {
  const { prometheus, prometheusPort } = values.spillway.observability;
  if (!prometheus || prometheusNote(values, environment) !== undefined) return undefined;
  if (prometheusPort === 0) return (await freePorts(1))[0];
  await assertPortFree(
    '127.0.0.1',
    prometheusPort,
    '--set spillway.observability.prometheusPort=…',
  );
  return prometheusPort;
}

/**
 * Writes its configuration and rules.
 *
 * @throws {InputError} If the folder cannot be written.
 */
export function localPrometheus(options: {
  readonly values: Values;
  readonly port: number;
  readonly members: readonly { readonly backend: Backend; readonly engine: EnginePlan }[];
  /** Base URL of the router's metrics, if there is one. */
  readonly routerUrl: string | undefined;
}): LocalPrometheus {
  const { values, port, members, routerUrl } = options;
  const { prometheusCommand, prometheusDirectory, prometheusRules, scrapeSeconds } =
    values.spillway.observability;
  const [command = '', ...first] = prometheusCommand;
  const folder = folderOf(prometheusDirectory);
  const rules = { recordings: recordingRules, alerts: alertRules };
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  for (const [name, groups] of Object.entries(rules)) {
    const comment = 'Written by "spillway up".';
    write(`${name}.yaml`, rulesFile(groups, { scope: plainScope, runbooks, comment }));
  }
  const config = join(folder, 'prometheus.yml');
  write(
    'prometheus.yml',
    prometheusConfig({
      scrapeSeconds,
      ruleFiles: [
        ...Object.keys(rules).map((name) => `${name}.yaml`),
        ...prometheusRules.map((file) => resolve(file)),
      ],
      jobs: [
        ...jobsOf('spillway-engines', members.map(engineOf)),
        ...jobsOf('spillway-router', routerUrl === undefined ? [] : [routerAt(routerUrl)]),
      ],
    }),
  );
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    spec: {
      name: 'prometheus',
      command,
      args: [
        ...first,
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        '--storage.tsdb.retention.time=15d',
        `--web.listen-address=127.0.0.1:${port}`,
        '--enable-feature=exemplar-storage',
        '--log.level=warn',
      ],
      lifeline: 'guard',
      healthUrl: `${url}/-/ready`,
      ...{ startDeadlineMs, stopGraceMs },
    },
    remove: () => {
      if (prometheusDirectory === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

function engineOf(member: { readonly backend: Backend; readonly engine: EnginePlan }): Scraped {
  const { backend, engine } = member;
  const hasOwnCertificate = engine.kind !== 'url' && engine.certificate !== undefined;
  return { name: backend.name, url: backend.url, hasOwnCertificate };
}

function routerAt(url: string): Scraped {
  return { name: 'router', url, hasOwnCertificate: url.startsWith('https:') };
}

function folderOf(directory: string | undefined): string {
  if (directory === undefined) return temporaryFolder('spillway-prometheus-');
  const folder = resolve(directory);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new InputError(
      `spillway.observability.prometheusDirectory: the folder "${directory}" cannot be made (${(error as NodeJS.ErrnoException).code}); choose one that you may write.`,
      { cause: error },
    );
  }
  return folder;
}

/** One job for all with a certificate that the system trusts or none, one for the others. */
function jobsOf(name: string, scraped: readonly Scraped[]): ScrapeJob[] {
  const own = scraped.filter(({ hasOwnCertificate }) => hasOwnCertificate);
  const others = scraped.filter(({ hasOwnCertificate }) => !hasOwnCertificate);
  return [
    { name, targets: others.map(targetOf) },
    { name: `${name}-tls`, hasOwnCertificates: true, targets: own.map(targetOf) },
  ].filter(({ targets }) => targets.length > 0);
}

function targetOf({ name, url, hasOwnCertificate }: Scraped): ScrapeTarget {
  const { host, protocol, port, pathname } = new URL(url);
  const isTls = protocol === 'https:';
  const path = pathname.replace(/\/$/, '');
  return {
    address: port === '' ? `${host}:${isTls ? 443 : 80}` : host,
    pod: name,
    ...(isTls && !hasOwnCertificate && { scheme: 'https' as const }),
    ...(path !== '' && { path: `${path}/metrics` }),
  };
}
