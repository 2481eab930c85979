// The shape of a model that nobody has described, from the sizes in its name.
import { feedForwardPerToken, type ModelSpec, modelParameters } from './model-spec.ts';
import { models } from './models.ts';
import { precisionNamed } from './precision.ts';

/**
 * The model of the catalogue that is nearest in size, with as many layers as make the size that the
 * name tells: `Foo-34B` is dense, `Foo-30B-A3B` a mixture of experts of which a token goes through 3
 * billion parameters.
 *
 * @param known Models to choose among.
 * @returns Undefined if the name tells no size.
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

/** Parameters, all and those that a token goes through; the latter for mixtures of experts only. */
function sizesOf(name: string): { total: number; active: number | undefined } | undefined {
  const last = name.slice(name.lastIndexOf('/') + 1);
  const of = (pattern: RegExp) => {
    const [, number] = pattern.exec(last) ?? [];
    return number === undefined ? undefined : Number(number) * 1e9;
  };
  const active = of(/[-_]a(\d+(?:\.\d+)?)b(?![a-z])/i);
  const total = of(/(?<![a-z\d.])(\d+(?:\.\d+)?)b(?![a-z])/i);
  // `17B-16E` counts the experts, and says of the total nothing.
  if (total === undefined || total <= 0 || /\d+e(?![a-z])/i.test(last)) return undefined;
  return { total, active: active !== undefined && active < total ? active : undefined };
}

function activeParameters(model: ModelSpec): number {
  const { experts } = model;
  if (experts === undefined) return modelParameters(model);
  const all = feedForwardPerToken(model) / (experts.perToken + (experts.shared ?? 0));
  const idle = (experts.count - experts.perToken) * all * model.layers;
  return modelParameters(model) - idle;
}
