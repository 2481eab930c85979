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
 * @throws {InputError} If the lists differ in length, or a URL or name is invalid or occurs twice.
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

/** @throws {InputError} If a pair is not alias:model. */
export function listedAliases(pairs: readonly string[], names: ListNames): Map<string, string> {
  return new Map(
    pairs.map((pair): [string, string] => {
      const colon = pair.indexOf(':');
      if (colon <= 0 || colon === pair.length - 1) {
        throw new InputError(`${names.aliases} accepts alias:model, not "${pair}".`);
      }
      return [pair.slice(0, colon), pair.slice(colon + 1)];
    }),
  );
}
