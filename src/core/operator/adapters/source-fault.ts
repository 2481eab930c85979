// Names and paths of adapters that could lead out of the folder for adapters, in an engine or in the sidecar that downloads.
import type { LoraAdapterSpec } from '../resources.ts';

/** Longest name or path: PATH_MAX of Linux. @see https://man7.org/linux/man-pages/man7/path_resolution.7.html */
const charactersMax = 4_096;
/** URLs that a sidecar downloads, or a Hugging Face id. */
const remote = /^(?:s3|https?|hf):\/\/[^/]/i;

/** @returns What is wrong, in a sentence; undefined if nothing is. */
export function sourceFault({
  type,
  adapterName,
  adapterPath,
  repository,
}: LoraAdapterSpec['adapterSource']): string | undefined {
  return (
    faultOf('adapterName', adapterName, 'relative') ??
    (adapterPath ? faultOf('adapterPath', adapterPath, 'any') : undefined) ??
    (type !== 'local' && repository
      ? faultOf('repository', repository.replace(remote, ''), 'relative')
      : undefined)
  );
}

/** A name is only ever a part of a path. */
type Place = 'relative' | 'any';

function faultOf(field: string, value: string, place: Place): string | undefined {
  const fault = pathFault(value, place);
  return fault && `spec.adapterSource.${field} ${fault}`;
}

function pathFault(value: string, place: Place): string | undefined {
  if (value.length > charactersMax) return `has more than ${charactersMax} characters: shorten it.`;
  if (/\p{Cc}|\p{Cs}/u.test(value)) {
    return 'has a control character or half of a surrogate pair: remove it.';
  }
  if (value.trim() !== value) return 'begins or ends with a space: remove it.';
  if (value.includes('\\')) return 'has a backslash: separate folders by /.';
  if (/^[~-]/.test(value)) return `begins with ${value[0]}: begin it with a letter or a digit.`;
  if (place === 'relative' && value.startsWith('/')) {
    return 'begins with /: only adapterPath, a path within the pod, may.';
  }
  const folders = value.replace(/^\/|\/$/g, '').split('/');
  if (folders.some((folder) => folder === '' || folder === '.' || folder === '..')) {
    return 'has an empty folder, "." or "..": write the path without them.';
  }
  return undefined;
}
