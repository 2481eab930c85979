// Guesses the shape of an unknown model from the sizes in its name.
import { activeParameters, type ModelSpec, modelParameters } from './model-spec.ts';
import { models } from './models.ts';
import { precisionNamed } from './precision.ts';

/**
 * Returns the model of the catalogue that is most similar in size, with the number of layers that
 * matches the size in the name: `Foo-34B` is dense, `Foo-30B-A3B` a mixture of experts in which a
 * token uses 3 billion parameters.
 *
 * @param known Models to choose from.
 * @returns Undefined if the name contains no size.
 */
export function guessModel(
  name: string,
  known: readonly ModelSpec[] = models,
): ModelSpec | undefined {
  const sizes = sizesOf(name);
  if (sizes === undefined) return undefined;
  const distance = (model: ModelSpec) =>
    Math.abs(Math.log(modelParameters(model) / sizes.total)) +
    Math.abs(Math.log(activeParameters(model) / (sizes.active ?? sizes.total)));
  const [nearest] = known
    .filter(({ experts }) => (experts === undefined) === (sizes.active === undefined))
    .toSorted((a, b) => distance(a) - distance(b));
  if (nearest === undefined) return undefined;
  const weightPrecision = precisionNamed(name);
  const { weightPrecision: _, ...shape } = nearest;
  return {
    ...shape,
    name,
    layers: Math.max(1, Math.round((nearest.layers * sizes.total) / modelParameters(nearest))),
    ...(weightPrecision && { weightPrecision }),
    source: `guessed from its name: the shape of ${nearest.name}`,
  };
}

/**
 * Returns the number of all parameters, and of those that one token uses; the latter only for
 * mixtures of experts.
 */
function sizesOf(name: string): { total: number; active: number | undefined } | undefined {
  const last = name.slice(name.lastIndexOf('/') + 1);
  const of = (pattern: RegExp) => {
    const [, number] = pattern.exec(last) ?? [];
    return number === undefined ? undefined : Number(number) * 1e9;
  };
  const active = of(/[-_]a(\d+(?:\.\d+)?)b(?![a-z])/i);
  const total = of(/(?<![a-z\d.])(\d+(?:\.\d+)?)b(?![a-z])/i);
  // `17B-16E` states the number of experts, not the total.
  if (total === undefined || total <= 0 || /\d+e(?![a-z])/i.test(last)) return undefined;
  return { total, active: active !== undefined && active < total ? active : undefined };
}
