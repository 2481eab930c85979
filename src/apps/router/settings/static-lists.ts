// The comma-separated lists of upstream's flags and configuration files.
import { counted, InputError } from '../../../core/base/index.ts';
import { type DiscoveredEndpoint, normalized } from '../../../io/endpoints/index.ts';

/** Names of the lists where they are written. */
export interface ListNames {
  readonly backends: string;
  readonly models: string;
  readonly aliases: string;
  /** Undefined where names of engines cannot be given. */
  readonly engineNames?: string;
  /** Undefined where labels cannot be given. */
  readonly labels?: string;
}

/**
 * @param models One per engine; undefined to read them from the engines.
 * @param engineNames One per engine; undefined for default names.
 * @param labels One per engine; undefined for none.
 * @throws {InputError} If the lists differ in length, a URL or name is invalid, or two engines have one name.
 */
export function listedEngines(
  urls: readonly string[],
  models: readonly string[] | undefined,
  names: ListNames,
  engineNames?: readonly string[],
  labels?: readonly string[],
): DiscoveredEndpoint[] {
  if (models !== undefined && models.length !== urls.length) {
    throw new InputError(
      `${names.models} has ${counted(models.length, 'entry', 'entries')}, ${names.backends} ${urls.length}: ` +
        `give one model per engine, or omit ${names.models} to read them from the engines.`,
    );
  }
  if (engineNames !== undefined && engineNames.length !== urls.length) {
    throw new InputError(
      `${names.engineNames} has ${counted(engineNames.length, 'entry', 'entries')}, ${names.backends} ${urls.length}: ` +
        `give one name per engine, or omit ${names.engineNames}.`,
    );
  }
  if (labels !== undefined && labels.length !== urls.length) {
    throw new InputError(
      `${names.labels} has ${counted(labels.length, 'entry', 'entries')}, ${names.backends} ${urls.length}: ` +
        'give one label per engine.',
    );
  }
  return normalized(
    urls.map((url, i) => {
      const [model, name, label] = [models?.[i], engineNames?.[i], labels?.[i]];
      return { url, models: model === undefined ? [] : [model], name, label };
    }),
  );
}

/** @throws {InputError} If a pair is not alias:model, or as `checkedAliases`. */
export function listedAliases(
  pairs: readonly string[],
  names: ListNames,
): ReadonlyMap<string, string> {
  if (pairs[0]?.trimStart().startsWith('{')) return checkedAliases(jsonPairs(pairs, names), names);
  return checkedAliases(
    pairs.map((pair): [string, string] => {
      const colon = pair.indexOf(':');
      const [alias, model] = [pair.slice(0, colon).trim(), pair.slice(colon + 1).trim()];
      if (colon <= 0 || alias === '' || model === '') {
        throw new InputError(`${names.aliases} accepts alias:model, not "${pair}".`);
      }
      return [alias, model];
    }),
    names,
  );
}

/** A map as JSON, which other routers take, and whose commas have split it. */
function jsonPairs(parts: readonly string[], names: ListNames): [string, string][] {
  let map: unknown;
  try {
    map = JSON.parse(parts.join(','));
  } catch {
    // The sentence below.
  }
  const pairs = Object.entries(typeof map === 'object' && map !== null ? map : {});
  if (pairs.length === 0 || pairs.some(([, model]) => typeof model !== 'string' || model === '')) {
    throw new InputError(
      `${names.aliases} accepts alias:model pairs, or {"alias": "model"} as JSON, not "${parts.join(',')}".`,
    );
  }
  return pairs as [string, string][];
}

/**
 * Aliases by name. One star in a name stands for any characters.
 *
 * @throws {InputError} If an alias leads to another one, a name occurs with two models, or has several stars.
 */
export function checkedAliases(
  pairs: readonly (readonly [string, string])[],
  names: ListNames,
): ReadonlyMap<string, string> {
  const aliases = new Map<string, string>();
  for (const [alias, model] of pairs) {
    const known = aliases.get(alias);
    if (known !== undefined && known !== model) {
      throw new InputError(
        `${names.aliases} has the alias "${alias}" for "${known}" and for "${model}": give it one model.`,
      );
    }
    if (alias.indexOf('*') !== alias.lastIndexOf('*')) {
      throw new InputError(
        `${names.aliases} has "${alias}": an alias may have one *, which stands for any characters.`,
      );
    }
    if (model.includes('*')) {
      throw new InputError(
        `${names.aliases} has "${model}": a model cannot have a *, only its alias.`,
      );
    }
    aliases.set(alias, model);
  }
  for (const [alias, model] of aliases) {
    const next = aliases.get(model);
    if (next === undefined || next === model) continue;
    throw new InputError(
      `${names.aliases} has "${alias}:${model}", and "${model}" is an alias itself: name the model, "${alias}:${next}".`,
    );
  }
  return aliases;
}
