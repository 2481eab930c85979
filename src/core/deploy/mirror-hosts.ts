// A mirror of registries: where its API is, and what containerd and minikube need to pull through it.

export interface Mirror {
  /**
   * Scheme, host, port and path, such as `http://10.0.0.1:5000` or `https://harbor.example.com/v2/{registry}`. The API is below the
   * path and `/v2`, or below the path alone if `v2` is in it; `{registry}` stands for the registry of an image. containerd reads
   * addresses of mirrors in the same way.
   */
  readonly url: string;
  /** Whether its certificate is accepted unchecked. */
  readonly isInsecure: boolean;
  /** Undefined for a mirror that anybody may read. */
  readonly login?: RegistryLogin | undefined;
}

export interface RegistryLogin {
  readonly user: string;
  readonly password: string;
}

/** First line of each file, by which a later run knows its own. */
export const hostsFileMark = '# Written by "spillway images".';

/** Value of the header `authorization` for a login. */
export function basicAuthorization({ user, password }: RegistryLogin): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

/**
 * Returns the root of a mirror's API for the images of one registry, without a slash at the end.
 *
 * @example apiRoot({ url: 'https://m.example/hub', isInsecure: false }, 'ghcr.io') // 'https://m.example/hub/v2'
 */
export function apiRoot(mirror: Mirror, registry: string): string {
  const url = mirrorFor(mirror, registry);
  return hasRoot(url) ? url : `${url}/v2`;
}

/** Address at which a mirror says that it is a registry. */
export function greetingUrl(mirror: Mirror): string {
  const { url } = mirror;
  return `${hasRoot(url) ? url.replace(/(\/v2)(\/.*)?$/, '$1') : `${url}/v2`}/`;
}

/** Whether the path names the root of the API, so that no `/v2` is added. */
function hasRoot(url: string): boolean {
  return /\/v2(\/|$)/.test(url);
}

function mirrorFor({ url }: Mirror, registry: string): string {
  return url.replaceAll('{registry}', registry);
}

/**
 * Returns containerd's `hosts.toml` for a registry: the mirror is tried first, and the registry itself if the mirror does not have
 * an image or does not respond. It contains the login, if there is one.
 *
 * @param registry Host of the registry, as in names of images.
 * @see https://github.com/containerd/containerd/blob/main/docs/hosts.md
 */
export function hostsToml(registry: string, mirror: Mirror): string {
  const { isInsecure, login } = mirror;
  const url = mirrorFor(mirror, registry);
  const lines = [
    hostsFileMark,
    `server = ${JSON.stringify(registryUrl(registry))}`,
    '',
    `[host.${JSON.stringify(url)}]`,
    '  capabilities = ["pull", "resolve"]',
    ...(hasRoot(url) ? ['  override_path = true'] : []),
    ...(isInsecure ? ['  skip_verify = true'] : []),
    ...(login === undefined
      ? []
      : [
          `  [host.${JSON.stringify(url)}.header]`,
          `    authorization = ${JSON.stringify(basicAuthorization(login))}`,
        ]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Where a registry is reached; Docker Hub's is not at the name that images have. */
export function registryUrl(registry: string): string {
  return registry === 'docker.io' ? 'https://registry-1.docker.io' : `https://${registry}`;
}

/**
 * Flags with which minikube is started to use the mirror. Docker uses it for images of Docker Hub only, and uses none that has a path
 * or needs a login: then there are no flags.
 */
export function minikubeFlags({ url, isInsecure, login }: Mirror): readonly string[] {
  const { host, pathname } = new URL(url);
  if (pathname !== '/' || login !== undefined) return [];
  return [`--registry-mirror=${url}`, ...(isInsecure ? [`--insecure-registry=${host}`] : [])];
}
