// Finds endpoints in a file, and reads the file again as it changes.
import type { Discovery } from './discovery.ts';
import type { DiscoveredEndpoint, EndpointSource, SourceLog, Wait } from './endpoint-source.ts';
import { polledSource } from './polled-source.ts';

export const fileDiscovery: Discovery = {
  kind: 'file',
  flags: [
    {
      flag: '--engines-file <path>',
      help: 'YAML or JSON file that lists the engines, read again when it changes',
    },
  ],
  open: ([path = ''], log) => enginesFile({ path, log }),
};

export interface EnginesFileOptions {
  readonly path: string;
  readonly log: SourceLog;
  /**
   * Pause between two readings. The file is read and compared, not watched: a ConfigMap changes by
   * a symbolic link, for which no notification of its files is sent. @default 1000
   */
  readonly pollMs?: number | undefined;
  readonly wait?: Wait | undefined;
}

/**
 * A YAML or JSON file with a list `engines` of `url` and, optionally, `name` and `models`. A file that cannot be
 * read or is wrong leaves the last set in force; at the start it is an error.
 *
 * @example
 * // engines:
 * //   - url: http://10.0.0.7:8000
 * //   - url: http://10.0.0.8:8000
 * //     models: [qwen3-8b]
 * enginesFile({ path: 'engines.yaml', log });
 */
export function enginesFile(options: EnginesFileOptions): EndpointSource {
  const { path, log, pollMs = 1_000, wait } = options;
  /** The last set: an unchanged file is not parsed again. */
  let last:
    | { readonly text: string; readonly endpoints: readonly DiscoveredEndpoint[] }
    | undefined;
  /**
   * The last text. A text counts once it is read twice in succession, because it may still be being
   * written.
   */
  let lastRead: string | undefined;
  return polledSource({
    name: `engines file ${path}`,
    mustStart: true,
    retryMs: pollMs,
    log,
    wait,
    look: async () => {
      // Imported here because only routers with such a file need the YAML parser and the schema.
      const { readInputText } = await import('../values/index.ts');
      const { text } = await readInputText(path, last === undefined);
      const isSettled = last === undefined || text === lastRead;
      lastRead = text;
      if (!isSettled) return undefined;
      if (last?.text !== text) last = { text, endpoints: await parse(text, path) };
      return { endpoints: last.endpoints, againMs: pollMs };
    },
  });
}

/** @throws {InputError} One line per problem: file, line, key, what is allowed. */
async function parse(text: string, path: string): Promise<DiscoveredEndpoint[]> {
  const { parseEnginesFile } = await import('./engines-file-schema.ts');
  return parseEnginesFile(text, path);
}
