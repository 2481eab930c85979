// Guesses the shape of an unknown model from the sizes in its name, and from models of the same maker and kind.
import { activeParameters, type ModelSpec, modelParameters } from './model-spec.ts';
import { models } from './models.ts';
import { precisionNamed } from './precision.ts';

/**
 * Returns the shape of the model of the same maker and kind that is nearest in generation, then in size, with the
 * number of layers that matches the size in the name: `Qwen3.6-27B` is dense, `Qwen4-30B-A3B` a mixture of
 * experts in which a token uses 3 billion parameters.
 *
 * @param known Models to choose from.
 * @returns Undefined if the name contains no size, or if no model of its maker and kind is known.
 */
export function guessModel(
  name: string,
  known: readonly ModelSpec[] = models,
): ModelSpec | undefined {
  const sizes = sizesOf(name);
  const family = familyOf(name);
  if (sizes === undefined || family === undefined || hasOtherLayers(name)) return undefined;
  if (/embed|rerank|reward/i.test(name)) return undefined;
  const kin = known.filter((model) => {
    const own = familyOf(model.name);
    return own?.maker === family.maker && isOfKind(model, sizes);
  });
  const near = nearestInSize(ofGeneration(kin, family.generation), sizes);
  if (near === undefined) return undefined;
  return {
    ...scaled(near, name, sizes),
    source: `guessed from its name: the shape of ${near.name}`,
  };
}

/**
 * Returns a model of a size: that of the catalogue which is nearest, with the number of layers that matches.
 *
 * @param size Parameters, and for a mixture of experts those that a token uses: `8B`, `0.5B`, `500M`, `30B-A3B`.
 * @returns Undefined if the text is no size.
 */
export function modelOfSize(size: string): ModelSpec | undefined {
  const found = /^(\d+(?:\.\d+)?)([bm])(?:[-_]a(\d+(?:\.\d+)?)b)?$/i.exec(size.trim());
  if (found === null) return undefined;
  const total = Number(found[1]) * (found[2]?.toLowerCase() === 'm' ? 1e6 : 1e9);
  const active = found[3] === undefined ? undefined : Number(found[3]) * 1e9;
  if (!(total > 0) || (active !== undefined && !(active > 0 && active < total))) return undefined;
  const sizes = { total, active };
  const near = nearestInSize(
    models.filter((model) => isOfKind(model, sizes)),
    sizes,
  );
  return near && { ...scaled(near, size, sizes), source: `${size}: the shape of ${near.name}` };
}

interface Sizes {
  readonly total: number;
  /** Parameters that one token uses; undefined for dense models. */
  readonly active: number | undefined;
}

function isOfKind({ experts, pooling }: ModelSpec, { active }: Sizes): boolean {
  return pooling === undefined && (experts === undefined) === (active === undefined);
}

function nearestInSize(known: readonly ModelSpec[], sizes: Sizes): ModelSpec | undefined {
  const distance = (model: ModelSpec) =>
    Math.abs(Math.log(modelParameters(model) / sizes.total)) +
    Math.abs(Math.log(activeParameters(model) / (sizes.active ?? sizes.total)));
  return known.toSorted((a, b) => distance(a) - distance(b))[0];
}

function scaled(shape: ModelSpec, name: string, { total }: Sizes): ModelSpec {
  const weightPrecision = precisionNamed(name);
  const { weightPrecision: _, ...rest } = shape;
  return {
    ...rest,
    name,
    layers: Math.max(1, Math.round((shape.layers * total) / modelParameters(shape))),
    ...(weightPrecision && { weightPrecision }),
  };
}

/** Words in the names of a maker's models. A fine-tune keeps the word, whoever made it. */
const families: readonly (readonly [RegExp, string])[] = [
  [/qwen|qwq/, 'Qwen'],
  [/gemma/, 'Google'],
  [/llama/, 'Meta'],
  [/[a-z]*(?:mistral|mixtral|devstral|codestral|magistral|ministral)/, 'Mistral'],
  [/phi(?=-?\d)/, 'Microsoft'],
  [/deepseek/, 'DeepSeek'],
  [/glm/, 'Z.ai'],
  [/gpt-oss/, 'OpenAI'],
  [/kimi/, 'Moonshot'],
  [/minimax/, 'MiniMax'],
  [/granite/, 'IBM'],
  [/\byi(?=-)/, '01.AI'],
  [/\bopt(?=-)/, 'Facebook'],
];

interface Family {
  readonly maker: string;
  /** The number after the family's name, such as 3.1; undefined if there is none. */
  readonly generation: number | undefined;
}

/** The maker whose model a name says that it is, or is made of. The last word counts: `R1-Distill-Llama` is a Llama. */
function familyOf(name: string): Family | undefined {
  const last = name.slice(name.lastIndexOf('/') + 1).toLowerCase();
  let found: (Family & { readonly at: number }) | undefined;
  for (const [word, maker] of families) {
    const match = word.exec(last);
    if (match === null || (found && found.at > match.index)) continue;
    const after = /^[-_]?v?(\d+(?:\.\d+)?)(?![\d.]*b)/.exec(
      last.slice(match.index + match[0].length),
    );
    found = { maker, generation: after === null ? undefined : Number(after[1]), at: match.index };
  }
  return found;
}

/**
 * Those of the greatest whole generation that is not above the wanted one, the newest by default; else of the lowest
 * one above it. All, if their names have no generations.
 */
function ofGeneration(kin: readonly ModelSpec[], wanted: number | undefined): readonly ModelSpec[] {
  const wholeOf = (model: ModelSpec) => Math.floor(familyOf(model.name)?.generation ?? Number.NaN);
  const all = [...new Set(kin.map(wholeOf))]
    .filter((one) => !Number.isNaN(one))
    .toSorted((a, b) => a - b);
  const best = all.findLast((one) => one <= (wanted ?? Number.POSITIVE_INFINITY)) ?? all[0];
  return best === undefined ? kin : kin.filter((model) => wholeOf(model) === best);
}

/** State-space, convolutional and diffusion models, and hybrids of them: no model of the catalogue has such layers. */
function hasOtherLayers(name: string): boolean {
  const last = name.slice(name.lastIndexOf('/') + 1);
  return /mamba|jamba|zamba|rwkv|bamba|hyena|lfm|diffusion|nemotron[-_](nano[-_]\d+b[-_]v2|h\b)|granite-4[.\d]*-h|falcon-?h/i.test(
    last,
  );
}

/**
 * Returns the number of all parameters, and of those that one token uses; the latter only for
 * mixtures of experts.
 */
function sizesOf(name: string): Sizes | undefined {
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
