// What containerd and minikube need to pull through a mirror of registries.

export interface Mirror {
  /** Scheme, host and port, without a path, such as `http://10.0.0.1:5000`. */
  readonly url: string;
  /** Whether its certificate is accepted unchecked. */
  readonly isInsecure: boolean;
}

/** First line of each file, by which a later run knows its own. */
export const hostsFileMark = '# Written by "spillway images".';

/**
 * Returns containerd's `hosts.toml` for a registry: the mirror is tried first, and the registry itself if the mirror does not have
 * an image or does not respond.
 *
 * @param registry Host of the registry, as in names of images.
 * @see https://github.com/containerd/containerd/blob/main/docs/hosts.md
 */
export function hostsToml(registry: string, { url, isInsecure }: Mirror): string {
  const lines = [
    hostsFileMark,
    `server = ${JSON.stringify(registryUrl(registry))}`,
    '',
    `[host.${JSON.stringify(url)}]`,
    '  capabilities = ["pull", "resolve"]',
    ...(isInsecure ? ['  skip_verify = true'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** Where a registry is reached; Docker Hub's is not at the name that images have. */
function registryUrl(registry: string): string {
  return registry === 'docker.io' ? 'https://registry-1.docker.io' : `https://${registry}`;
}

/** Flags with which minikube is started to use the mirror. Docker uses it for images of Docker Hub only. */
export function minikubeFlags({ url, isInsecure }: Mirror): readonly string[] {
  return [
    `--registry-mirror=${url}`,
    ...(isInsecure ? [`--insecure-registry=${new URL(url).host}`] : []),
  ];
}
