// References of container images, read as Docker and containerd read them.
import { InputError } from '../base/index.ts';

export interface ImageReference {
  /** In full: registry, repository, and tag or digest, such as `docker.io/library/redis:7`. */
  readonly name: string;
  /** Host of the registry, with its port if one is given, such as `docker.io`. */
  readonly registry: string;
  /** Path within the registry, such as `library/redis`. */
  readonly repository: string;
  /** Tag, or digest if there is one: what a registry is asked for. */
  readonly version: string;
  /** Such as `sha256:…`; undefined for a tag, which may move. */
  readonly digest: string | undefined;
}

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
/** Labels of host names begin with a letter or digit: a registry is also the name of a folder. */
const registryPattern =
  /^(?:[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9][A-Za-z0-9-]*)*|\[[0-9A-Fa-f:]+\])(?::\d{1,5})?$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/;

/**
 * Reads a reference. Without a registry it is Docker Hub's, without a tag `latest`.
 *
 * @throws {InputError} If it is none.
 * @example parseImage('redis:7').name // 'docker.io/library/redis:7'
 */
export function parseImage(text: string): ImageReference {
  const [named = '', digest, ...rest] = text.split('@');
  const slash = named.indexOf('/');
  const first = named.slice(0, Math.max(slash, 0));
  const hasRegistry = /[.:]/.test(first) || first === 'localhost';
  const registry = hasRegistry ? first.replace(/^index\.docker\.io$/, 'docker.io') : 'docker.io';
  const path = hasRegistry ? named.slice(slash + 1) : named;
  const [, short = '', tag] = /^([^:]*)(?::(.*))?$/s.exec(path) ?? [];
  const repository = registry === 'docker.io' && !short.includes('/') ? `library/${short}` : short;
  const isValid =
    rest.length === 0 &&
    registryPattern.test(registry) &&
    repositoryPattern.test(repository) &&
    (tag === undefined || tagPattern.test(tag)) &&
    (digest === undefined || digestPattern.test(digest));
  if (!isValid) {
    throw new InputError(
      `"${text}" is not the name of an image, such as ghcr.io/owner/name:tag or name@sha256:….`,
    );
  }
  const version = digest ?? tag ?? 'latest';
  const mark = digest === undefined ? ':' : '@';
  return {
    name: `${registry}/${repository}${mark}${version}`,
    registry,
    repository,
    version,
    digest,
  };
}
