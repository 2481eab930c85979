// Installs or upgrades a stack by Helm, and waits until it serves completions.
import { rm } from 'node:fs/promises';
import type { ComponentState, Mirror } from '../../core/deploy/index.ts';
import { at, textAt } from '../../core/kubernetes/index.ts';
import { temporaryFolder } from '../../io/temporary/index.ts';
import { changesBetween, type ObjectChange, refusals } from './changes.ts';
import { prepareChart } from './chart.ts';
import type { Cluster } from './cluster.ts';
import { DeployError } from './deploy-error.ts';
import { findHelm, type Helm } from './helm.ts';
import { imagesOf, refusedValues } from './image-list.ts';
import { mirrorLine } from './images.ts';
import { interruptedLine } from './interrupted.ts';
import { Kinds } from './kinds.ts';
import { type Manifest, parseManifests } from './manifests.ts';
import type { ObservedStack } from './observe.ts';
import { registryLogin } from './registry-login.ts';
import { type Release, readRelease, readReleases } from './release.ts';
import { checkRouterImage } from './router-image.ts';
import type { Served } from './serving-wait.ts';
import { waitUntilServed } from './wait-until-served.ts';

export interface DeployOptions {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly release: string;
  /** Arguments of Helm that give the values: `-f FILE`, `--set key=value`. */
  readonly valueArgs: readonly string[];
  /** Merged values, by which subcharts are on or off. */
  readonly values: unknown;
  readonly chart: string;
  /** Name or path of Helm. */
  readonly helm: string;
  readonly waitMs: number;
  /** Whether a deployment that does not serve is undone. */
  readonly rollsBack: boolean;
  /** Shows what would be done, without doing it. */
  readonly isDryRun: boolean;
  readonly apiKey?: string | undefined;
  /** A registry mirror that the nodes use; what it lacks is reported. */
  readonly mirror?: Mirror | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onStep: (line: string) => void;
  readonly onChange: (component: ComponentState) => void;
}

export interface Deployment {
  readonly helmVersion: string;
  readonly clusterVersion: string;
  readonly changes: readonly ObjectChange[];
  /** Undefined for a dry run. */
  readonly outcome:
    | (Served<ObservedStack> & { readonly release: Release; readonly undone: string })
    | undefined;
}

/**
 * @throws {NoResponseError} If the cluster cannot be reached.
 * @throws {DeployError} If Helm is missing or fails, or the API server refuses an object.
 */
export async function deploy(options: DeployOptions): Promise<Deployment> {
  const { cluster, namespace, release, onStep, signal } = options;
  const clusterVersion = await cluster.version();
  onStep(`cluster ${cluster.access.context}: Kubernetes ${clusterVersion}, namespace ${namespace}`);
  const { context } = cluster.access;
  const helm = await findHelm({ program: options.helm, context, namespace, signal });
  const scratch = temporaryFolder('spillway-deploy-');
  try {
    const chart = await prepareChart({ ...options, scratch, helm });
    const former = await readRelease(cluster, namespace, release);
    const manifests = await rendered(helm, chart, options);
    const images = imagesOf(manifests);
    if (options.mirror) onStep(await mirrorLine(options.mirror, images, signal));
    else {
      const line = await checkRouterImage({
        ...{ images, cluster, signal },
        loginOf: (registry) => registryLogin(registry, process.env),
      });
      if (line !== undefined) onStep(line);
    }
    const changes = changesBetween(former?.manifests ?? [], manifests);
    const common = { helmVersion: helm.version, clusterVersion, changes };
    await checkAccepted(cluster, namespace, manifests, onStep);
    if (options.isDryRun) return { ...common, outcome: undefined };
    onStep(`helm ${helm.version}: ${former === undefined ? 'installs' : 'upgrades'} ${release}`);
    try {
      return { ...common, outcome: await installed(helm, chart, options) };
    } catch (error) {
      if (signal?.aborted) onStep(await interruptedLine(options));
      throw error;
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function installed(
  helm: Helm,
  chart: string,
  options: DeployOptions,
): Promise<Deployment['outcome']> {
  const { cluster, namespace, release } = options;
  await helm.run([...upgradeArgs(chart, options), '--create-namespace'], options.waitMs);
  const deployed = await readRelease(cluster, namespace, release);
  if (deployed === undefined)
    throw new DeployError(`Helm has no release ${release} after its upgrade.`);
  const served = await waitUntilServed({ ...options, release: deployed });
  const undone = served.isServing || !options.rollsBack ? '' : await undo(helm, options, deployed);
  return { ...served, release: deployed, undone };
}

function upgradeArgs(chart: string, { release, valueArgs }: DeployOptions): readonly string[] {
  // Like "helm install", an upgrade by this program takes the values of its files only.
  return ['upgrade', '--install', release, chart, ...valueArgs, '--reset-values'];
}

async function rendered(
  helm: Helm,
  chart: string,
  options: DeployOptions,
): Promise<readonly Manifest[]> {
  const args = [...upgradeArgs(chart, options), '--dry-run=server', '--output', 'json'];
  const text = await helm.run(args).catch(refusedValues);
  const record: unknown = JSON.parse(text.slice(text.indexOf('{')));
  return parseManifests(textAt(record, 'manifest'));
}

/** @throws {DeployError} With all sentences, if the API server refuses an object. */
async function checkAccepted(
  cluster: Cluster,
  namespace: string,
  manifests: readonly Manifest[],
  onStep: (line: string) => void,
): Promise<void> {
  const live = await cluster.get(`/api/v1/namespaces/${encodeURIComponent(namespace)}`);
  if (at(live, 'metadata', 'deletionTimestamp') != null) {
    throw new DeployError(
      `The namespace ${namespace} is being deleted; wait, or choose another one.`,
    );
  }
  if (live === undefined) {
    onStep(
      `namespace ${namespace} does not exist yet; its objects are checked when they are created`,
    );
    return;
  }
  const refused = await refusals(cluster, new Kinds(cluster, namespace), manifests);
  if (refused.length === 0) return;
  throw new DeployError(
    `The cluster refuses what the chart makes of these values: ${refused.join('; ')}.`,
  );
}

/** @returns What was done, for people. */
async function undo(helm: Helm, options: DeployOptions, failed: Release): Promise<string> {
  const { cluster, namespace, release, onStep } = options;
  const revisions = await readReleases(cluster, namespace, release);
  const good = revisions.findLast(
    ({ revision, status }) => revision < failed.revision && /^(superseded|deployed)$/.test(status),
  );
  if (good === undefined) {
    await helm.run(['uninstall', release], options.waitMs);
    onStep(`uninstalled ${release}, which had no earlier revision`);
    return 'uninstalled';
  }
  await helm.run(['rollback', release, String(good.revision)], options.waitMs);
  onStep(`rolled back to revision ${good.revision}`);
  return `rolled back to revision ${good.revision}`;
}
