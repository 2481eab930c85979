// Finds labels, selectors and annotations that Kubernetes would refuse, wherever the values have some.
import { type ChartFault, foreignKeys, valueFault } from './chart-faults.ts';

type Path = ChartFault['path'];

/** Keys whose maps have values of labels. */
const labelMaps = new Set([
  ...['labels', 'podLabels', 'pvcLabels', 'pvcMatchLabels', 'matchLabels', 'additionalLabels'],
  'nodeSelector',
]);
/** Keys whose maps have any texts, below keys like those of labels. */
const annotationMaps = new Set([
  ...['annotations', 'podAnnotations', 'serviceAnnotations', 'pvcAnnotations'],
]);

const charactersMax = 63;
const namePattern = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const prefixPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const prefixCharactersMax = 253;

/**
 * Returns a fault for each of them.
 *
 * @param values Any part of the values.
 * @param path Where the part is.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
 */
export function labelFaults(values: unknown, path: Path = []): readonly ChartFault[] {
  if (Array.isArray(values)) {
    return values.flatMap((item, index) => labelFaults(item, [...path, index]));
  }
  if (typeof values !== 'object' || values === null) return [];
  return [
    ...expressionFaults(values as Readonly<Record<string, unknown>>, path),
    ...Object.entries(values).flatMap(([key, value]) => {
      if (path.length === 0 && foreignKeys.has(key)) return [];
      const at = [...path, key];
      const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (isMap && labelMaps.has(key)) return mapFaults(value, at, true);
      if (isMap && annotationMaps.has(key)) return mapFaults(value, at, false);
      return labelFaults(value, at);
    }),
  ];
}

function mapFaults(map: object, path: Path, areLabels: boolean): ChartFault[] {
  return Object.entries(map).flatMap(([key, value]: [string, unknown]) => [
    ...keyFaults(key, [...path, key]),
    ...(areLabels ? textFaults(value, [...path, key]) : []),
  ]);
}

/** Of `{key, operator, values}` of a selector, and `{key, operator, value}` of a toleration. */
function expressionFaults(
  { key, operator, values, value }: Readonly<Record<string, unknown>>,
  path: Path,
): ChartFault[] {
  if (typeof key !== 'string' || typeof operator !== 'string') return [];
  const texts = Array.isArray(values) ? values : [];
  return [
    ...keyFaults(key, [...path, 'key']),
    ...texts.flatMap((text, index) => textFaults(text, [...path, 'values', index])),
    ...textFaults(value, [...path, 'value']),
  ];
}

function keyFaults(key: string, path: Path): ChartFault[] {
  const slash = key.indexOf('/');
  const [prefix, name] = slash < 0 ? [undefined, key] : [key.slice(0, slash), key.slice(slash + 1)];
  const isRight =
    (prefix === undefined ||
      (prefixPattern.test(prefix) && prefix.length <= prefixCharactersMax)) &&
    namePattern.test(name) &&
    name.length <= charactersMax;
  // An empty key of a toleration stands for all taints.
  if (isRight || (key === '' && path.at(-1) === 'key')) return [];
  return [
    valueFault(
      path,
      `"${shortened(key)}" cannot be the key of a label or an annotation, which is a name of at most ${charactersMax} letters, digits, "-", "_" and ".", behind a domain and "/" if that is needed: example.com/team`,
    ),
  ];
}

function textFaults(value: unknown, path: Path): ChartFault[] {
  if (typeof value !== 'string' || value === '') return [];
  if (namePattern.test(value) && value.length <= charactersMax) return [];
  return [
    valueFault(
      path,
      `"${shortened(value)}" cannot be the value of a label, which has at most ${charactersMax} letters, digits, "-", "_" and ".", with a letter or digit at both ends; use an annotation for other texts`,
    ),
  ];
}

function shortened(text: string): string {
  return text.length > charactersMax ? `${text.slice(0, charactersMax)}…` : text;
}
