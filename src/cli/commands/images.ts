// `spillway images`: the images of a stack, and a mirror of registries for them.
import { Command, Option } from 'commander';
import { InputError } from '../../core/base/index.ts';
import type { Mirror } from '../../core/deploy/index.ts';
import { endOnHurry, signalStatus, watchStopSignals } from '../../io/signals/index.ts';
import {
  chartImages,
  containerdHostsFolder,
  findMirror,
  handleImages,
  type ImagesReport,
  mirrorVariable,
  namedMirror,
  ownChart,
  type Preload,
  preloads,
} from '../../tools/deploy/index.ts';
import { printJson, progressOf } from '../cluster/stack-flags.ts';
import {
  addValueFlags,
  checkedValues,
  type ValueFlags,
  withValueArgs,
} from '../cluster/value-flags.ts';
import { addHelpEnd } from '../help.ts';

interface Flags extends ValueFlags {
  readonly helm: string;
  readonly mirror?: string;
  readonly insecure?: true;
  readonly containerd?: string | true;
  readonly preload?: Preload;
  readonly platform: string;
  readonly json?: true;
}

/** No name of an image depends on it. */
const release = 'vllm';

const noMinikube =
  'minikube: Docker uses no mirror with a path or a login; load the images with "minikube image load"';

export function imagesCommand(): Command {
  const command = new Command('images')
    .description(
      'List the images of a stack; check that a registry mirror has them, point containerd to it, and load them before a deployment.',
    )
    .optionsGroup('Stack:');
  addValueFlags(command)
    .option('--helm <program>', 'Helm to render it with, 3.14 or newer', 'helm')
    .optionsGroup('Mirror:')
    .option(
      '--mirror <url>',
      `registry mirror, such as http://10.0.0.1:5000 or https://HOST/v2/{registry}; logins of Docker and Podman are used (default: ${mirrorVariable})`,
    )
    .option('--insecure', "accept the mirror's certificate unchecked")
    .option(
      '--containerd [folder]',
      `write hosts.toml for each registry, so that containerd tries the mirror first (default folder: ${containerdHostsFolder})`,
    )
    .addOption(
      new Option(
        '--preload <where>',
        'mirror: download the images through the mirror, which keeps them; containerd: pull them into the containerd of this node, with ctr',
      ).choices(preloads),
    )
    .option('--platform <os/architecture>', 'platform of the nodes', ownPlatform())
    .optionsGroup('Output:')
    .option('--json', 'print the result as one JSON object')
    .exitOverride()
    .action(run);
  return addHelpEnd(
    command,
    'Exit status: 0 done, 1 an image is missing or cannot be loaded, 2 bad input or no Helm, 4 the mirror cannot be reached.',
  );
}

async function run(flags: Flags): Promise<void> {
  const mirror = await namedMirror(process.env, flags.mirror, flags.insecure === true);
  checkFlags(flags, mirror);
  const values = await checkedValues(flags, release);
  const { helm, chart = ownChart() } = flags;
  const print = progressOf(flags);
  const signals = watchStopSignals();
  endOnHurry(signals);
  const signal = signals.stop;
  try {
    const images = await withValueArgs(flags, (valueArgs) =>
      chartImages({ chart, helm, values, valueArgs, signal, release }),
    );
    const report = await handleImages({
      ...{ images, mirror, signal, onLine: print, platform: flags.platform },
      ...{ hostsFolder: hostsFolderOf(flags), preload: flags.preload },
    });
    const found = mirror === undefined ? await findMirror({ signal }) : undefined;
    if (found !== undefined) {
      print(`a mirror responds at ${found.url} (${found.source}); --mirror ${found.url} uses it`);
    }
    if (report.minikube.length > 0) print(`minikube start ${report.minikube.join(' ')}`);
    else if (mirror !== undefined) print(noMinikube);
    if (flags.json) printJson(reportJson(report, mirror?.url ?? null, found?.url ?? null));
    process.exitCode = report.ok ? 0 : 1;
  } catch (error) {
    if (!signal.aborted) throw error;
    process.exitCode = signalStatus(signals);
  } finally {
    signals.release();
  }
}

/** @throws {InputError} For flags that need a mirror without one. */
function checkFlags(flags: Flags, mirror: Mirror | undefined): void {
  if (!/^[a-z0-9]+\/[a-z0-9]+$/.test(flags.platform)) {
    throw new InputError(`--platform ${flags.platform}: it must be as linux/amd64.`);
  }
  if (mirror !== undefined) return;
  const idle = [
    ...(flags.containerd !== undefined ? ['--containerd'] : []),
    ...(flags.preload === 'mirror' ? ['--preload mirror'] : []),
    ...(flags.insecure ? ['--insecure'] : []),
  ];
  if (idle.length === 0) return;
  throw new InputError(`${idle.join(', ')}: name a mirror, with --mirror or ${mirrorVariable}.`);
}

function hostsFolderOf({ containerd }: Flags): string | undefined {
  return containerd === true ? containerdHostsFolder : containerd;
}

function reportJson(
  { ok, images, hostsFiles, minikube }: ImagesReport,
  mirror: string | null,
  found: string | null,
) {
  return {
    ...{ ok, mirror, found_mirror: found },
    images: images.map(({ image, digest, bytes, problem }) => ({
      ...{ name: image.reference.name, registry: image.reference.registry },
      ...{ used_by: image.usedBy, digest: digest ?? null, bytes_loaded: bytes ?? null },
      problem: problem || null,
    })),
    hosts_files: hostsFiles.map(({ path, registry, isChanged }) => ({
      ...{ path, registry, changed: isChanged },
    })),
    minikube_flags: minikube,
  };
}

/** Nodes run Linux, also if this machine does not. */
function ownPlatform(): string {
  return `linux/${process.arch === 'x64' ? 'amd64' : process.arch}`;
}
