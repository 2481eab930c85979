// The images of a stack: of all containers in the objects of its chart.
import { rm } from 'node:fs/promises';
import { InputError } from '../../core/base/index.ts';
import { type ImageReference, parseImage } from '../../core/deploy/index.ts';
import { temporaryFolder } from '../../io/temporary/index.ts';
import { prepareChart } from './chart.ts';
import { findHelm } from './helm.ts';
import { type Manifest, nameOf, parseManifests } from './manifests.ts';

export interface StackImage {
  /** As the chart writes it. */
  readonly written: string;
  readonly reference: ImageReference;
  /** Objects whose pods use it, such as `Deployment vllm-deployment-router`. */
  readonly usedBy: readonly string[];
}

export interface RenderOptions {
  readonly chart: string;
  readonly release: string;
  /** Arguments of Helm that give the values: `-f FILE`, `--set key=value`. */
  readonly valueArgs: readonly string[];
  /** Merged values, by which subcharts are on or off. */
  readonly values: unknown;
  /** Name or path of Helm. */
  readonly helm: string;
  /** @default default */
  readonly namespace?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Renders a chart without a cluster, and lists its images by name.
 *
 * @throws {InputError} If the chart refuses the values, or Helm is missing.
 * @throws {DeployError} If Helm fails.
 */
export async function chartImages(options: RenderOptions): Promise<readonly StackImage[]> {
  return imagesOf(await renderChart(options));
}

/**
 * Renders a chart without a cluster.
 *
 * @throws {InputError} If the chart refuses the values, or Helm is missing.
 * @throws {DeployError} If Helm fails.
 */
export async function renderChart(options: RenderOptions): Promise<readonly Manifest[]> {
  const { release, valueArgs, signal, namespace = 'default' } = options;
  const where = { context: 'inClusterContext', namespace };
  const helm = await findHelm({ program: options.helm, ...where, signal });
  const scratch = temporaryFolder('spillway-images-');
  try {
    const chart = await prepareChart({ ...options, scratch, helm });
    const text = await helm.run(['template', release, chart, ...valueArgs]).catch(refusedValues);
    return parseManifests(text);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Values that the schema of a chart refuses are wrong input. */
export function refusedValues(error: unknown): never {
  const message = error instanceof Error ? error.message : '';
  if (/values don't meet the specifications|failed to parse|execution error at/.test(message)) {
    throw new InputError(message, { cause: error });
  }
  throw error;
}

/** @throws {InputError} If an image has an invalid name. */
export function imagesOf(manifests: readonly Manifest[]): readonly StackImage[] {
  const users = new Map<string, Set<string>>();
  for (const manifest of manifests) {
    for (const image of imagesIn(manifest)) {
      const objects = users.get(image) ?? new Set();
      users.set(image, objects.add(nameOf(manifest)));
    }
  }
  return [...users]
    .map(([written, objects]) => ({
      written,
      reference: parseImage(written),
      usedBy: [...objects],
    }))
    .sort((a, b) => (a.reference.name < b.reference.name ? -1 : 1));
}

/** Images of the pod templates anywhere in an object: of a Deployment, a CronJob, a RayCluster, an object of another chart. */
function imagesIn(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(imagesIn);
  return Object.entries(value).flatMap(([key, inner]) => {
    const isContainers = /^(initC|c)ontainers$/.test(key) && Array.isArray(inner);
    if (!isContainers) return imagesIn(inner);
    return inner.flatMap((container: { readonly image?: unknown } | null) =>
      typeof container?.image === 'string' && container.image !== '' ? [container.image] : [],
    );
  });
}
