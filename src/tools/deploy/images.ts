// The images of a stack and a mirror: which of them it has, containerd pointed to it, and images loaded ahead of a deployment.
import { NoResponseError } from '../../core/base/index.ts';
import { listed, type Mirror, minikubeFlags } from '../../core/deploy/index.ts';
import { type HostsFile, hostsFolderProblem, pullByCtr, writeHosts } from './containerd-hosts.ts';
import type { StackImage } from './image-list.ts';
import { Registry } from './registry.ts';

export const preloads = ['mirror', 'containerd'] as const;
export type Preload = (typeof preloads)[number];

export interface ImagesOptions {
  readonly images: readonly StackImage[];
  /** Undefined to only list and pull the images. */
  readonly mirror: Mirror | undefined;
  /** Folder of `hosts.toml` files to write, or to pull by. */
  readonly hostsFolder: string | undefined;
  readonly preload: Preload | undefined;
  /** Of the nodes, such as `linux/amd64`. */
  readonly platform: string;
  readonly signal?: AbortSignal | undefined;
  readonly onLine: (line: string) => void;
}

export interface ImageState {
  readonly image: StackImage;
  /** Digest at the mirror; undefined if it was not asked, or does not have the image. */
  readonly digest: string | undefined;
  /** Bytes that were downloaded through the mirror. */
  readonly bytes: number | undefined;
  /** '' if nothing is wrong. */
  readonly problem: string;
}

export interface ImagesReport {
  readonly ok: boolean;
  readonly images: readonly ImageState[];
  readonly hostsFiles: readonly HostsFile[];
  /** Flags of `minikube start`; empty without a mirror. */
  readonly minikube: readonly string[];
}

/**
 * @throws {NoResponseError} If the mirror cannot be reached.
 * @throws {InputError} If a `hosts.toml` cannot be written.
 */
export async function handleImages(options: ImagesOptions): Promise<ImagesReport> {
  const { images, mirror, hostsFolder, onLine, signal } = options;
  const registry = mirror && new Registry(mirror, signal);
  await registry?.check();
  const isChecked = registry !== undefined || options.preload !== undefined;
  const registries = [...new Set(images.map(({ reference }) => reference.registry))];
  const hostsFiles =
    mirror && hostsFolder !== undefined ? await writeHosts(hostsFolder, registries, mirror) : [];
  for (const { path, isChanged } of hostsFiles) {
    onLine(`${isChanged ? 'wrote' : 'unchanged'} ${path}`);
  }
  const problem = hostsFiles.length > 0 ? await hostsFolderProblem(hostsFolder as string) : '';
  if (problem !== '') onLine(`warning: ${problem}`);
  const states: ImageState[] = [];
  for (const image of images) {
    const state = await handleImage(image, registry, options);
    states.push(state);
    onLine(stateLine(state, isChecked));
  }
  return {
    ok: states.every((state) => state.problem === ''),
    images: states,
    hostsFiles,
    minikube: mirror === undefined ? [] : minikubeFlags(mirror),
  };
}

async function handleImage(
  image: StackImage,
  registry: Registry | undefined,
  { preload, hostsFolder: folder, platform, signal }: ImagesOptions,
): Promise<ImageState> {
  const { reference } = image;
  const found = await registry?.find(reference);
  const digest = found?.digest || undefined;
  const state = { image, digest, bytes: undefined, problem: found?.problem ?? '' };
  if (preload === 'containerd') {
    // Even if the mirror lacks the image: containerd then asks its registry.
    return { ...state, problem: await pullByCtr(reference.name, { folder, platform, signal }) };
  }
  if (preload !== 'mirror' || registry === undefined || state.problem !== '') return state;
  const downloaded = await registry.download(reference, platform);
  return typeof downloaded === 'string'
    ? { ...state, problem: downloaded }
    : { ...state, bytes: downloaded };
}

function stateLine({ image, digest, bytes, problem }: ImageState, isChecked: boolean): string {
  const facts = [
    ...(problem === '' ? [] : [problem]),
    ...(digest === undefined ? [] : [digest.slice(0, 19)]),
    ...(bytes === undefined ? [] : [`${(bytes / 2 ** 20).toFixed(1)} MiB loaded`]),
    image.usedBy.join(', '),
  ];
  const mark = problem !== '' ? '✗ ' : isChecked ? '✓ ' : '';
  return `${mark}${image.reference.name}: ${facts.join('; ')}`;
}

/** How many of a stack's images a mirror has, as one line; also if it does not respond, which keeps no stack from starting. */
export async function mirrorLine(
  mirror: Mirror,
  images: readonly StackImage[],
  signal?: AbortSignal,
): Promise<string> {
  const registry = new Registry(mirror, signal);
  const missing: string[] = [];
  try {
    await registry.check();
    for (const { reference } of images) {
      if ((await registry.find(reference)).problem !== '') missing.push(reference.name);
    }
  } catch (error) {
    if (!(error instanceof NoResponseError)) throw error;
    return `mirror: ${error.message} Nodes pull from the registries instead.`;
  }
  const has = `mirror ${mirror.url}: has ${images.length - missing.length} of ${images.length} images`;
  return missing.length === 0 ? has : `${has}; it lacks ${listed(missing)}`;
}
