// Writes the error for a key that the schema does not have.
import { nearest, nearestSpelling } from '../base/index.ts';
import { allKeys, knownKeys, schemaAt, valuesRoot } from './schema-node.ts';
import { type Path, pathText } from './tree.ts';

/** Maximum number of keys listed in one sentence. */
const keysShownMax = 12;
/** Maximum number of places listed in one sentence for a key that exists elsewhere. */
const placesShownMax = 2;

/** Common other names of keys. */
const otherWords: Readonly<Record<string, string>> = {
  algorithm: 'routingLogic',
  engines: 'replicaCount',
  image: 'repository',
  model: 'modelURL',
  modelName: 'modelURL',
  modelPath: 'modelURL',
  policy: 'routingLogic',
  port: 'containerPort',
  replicas: 'replicaCount',
};

/**
 * @param path The map that contains the key.
 * @param root The schema of the file. @default that of the values file
 */
export function unknownKeySentence(path: Path, key: string, root = valuesRoot()): string {
  const full = pathText([...path, key]);
  const known = knownKeys(schemaAt(path, root)) ?? [];
  const alias = otherWords[key];
  const near = alias !== undefined && known.includes(alias) ? alias : nearestSpelling(key, known);
  if (near !== undefined) return `${full} is not a known key; did you mean ${near}?`;
  const above = path.findLastIndex((_, depth) =>
    knownKeys(schemaAt(path.slice(0, depth), root))?.includes(key),
  );
  if (above > 0 && path.some((step) => typeof step === 'number')) {
    return `${full} is not a known key; ${pathText([...path.slice(0, above), key])} sets it for all entries`;
  }
  const places = allKeys(root).filter(
    ({ key: other, node }) => other === key && !node['x-ignored'],
  );
  if (places.length > 0 && places.length <= placesShownMax) {
    const elsewhere = places
      .map((place) => (place.path === key ? 'the top' : place.path))
      .join(' and ');
    return `${full} is not a known key; ${key} is known at ${elsewhere}`;
  }
  if (path.at(-1) === 'vllmConfig') {
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replaceAll('_', '-')}`;
    return `${full} is not a known key; a flag of vLLM without a key of its own goes into extraArgs, as ${flag}`;
  }
  const similar = nearest(key, known);
  if (similar !== undefined) return `${full} is not a known key; did you mean ${similar}?`;
  const where = path.length === 0 ? 'at the top' : `below ${pathText(path)}`;
  const rest = known.length - keysShownMax;
  const more = rest > 0 ? `, … (${known.length} in all)` : '';
  const list = `${full} is not a known key; known ${where}: ${known.slice(0, keysShownMax).join(', ')}${more}`;
  return path.length === 0 && root === valuesRoot()
    ? `${list}. The name of a key that only holds anchors begins with x-`
    : list;
}
