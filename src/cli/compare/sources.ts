// What the arguments of `spillway compare` name: a server, a values file, or a saved run.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { stderr } from 'node:process';
import { InputError, withoutCredentials } from '../../core/base/index.ts';
import { type Group, groups } from '../../core/deploy/index.ts';
import { readResultFile, type SavedRun } from '../../tools/runs/index.ts';

export type Source =
  | { readonly kind: 'url'; readonly url: URL }
  | { readonly kind: 'values'; readonly file: string }
  | { readonly kind: 'group'; readonly group: Group }
  | { readonly kind: 'run'; readonly folder: string }
  | { readonly kind: 'result'; readonly run: SavedRun };

/** @throws {InputError} If it is none of them. */
async function sourceOf(text: string): Promise<Source> {
  if (/^https?:\/\//i.test(text)) {
    const url = URL.parse(text);
    if (url === null) throw new InputError(`${withoutCredentials(text)} is not a URL.`);
    return { kind: 'url', url };
  }
  const group = /^group:(.*)$/.exec(text)?.[1];
  if (group !== undefined) {
    const known = groups.find((one) => one === group);
    if (known !== undefined) return { kind: 'group', group: known };
    throw new InputError(
      `${text}: the groups of "spillway deploy --group" are group:a and group:b.`,
    );
  }
  const found = await stat(text).catch(() => undefined);
  if (found?.isFile()) {
    const results = await readResultFile(text);
    const last = results?.at(-1);
    if (last === undefined) return { kind: 'values', file: text };
    if (results !== undefined && results.length > 1) {
      stderr.write(`spillway: ${text} has ${results.length} results; the last one is compared.\n`);
    }
    return { kind: 'result', run: last };
  }
  if (found?.isDirectory()) {
    const header = await stat(join(text, 'run.json')).catch(() => undefined);
    if (header !== undefined) return { kind: 'run', folder: text };
    throw new InputError(`${text} is not the folder of a run: it has no run.json.`);
  }
  throw new InputError(
    `There is no ${text}: give two URLs such as http://10.0.0.7:8000, two values files, group:a and group:b, the folders of two runs, or two results of vllm bench serve.`,
  );
}

/** @throws {InputError} If only one of them is a saved run. */
export async function sourcesOf(a: string, b: string): Promise<readonly [Source, Source]> {
  const sources = [await sourceOf(a), await sourceOf(b)] as const;
  const results = sources.filter(({ kind }) => kind === 'result').length;
  if (results === 1) {
    throw new InputError(
      'A result of vllm bench serve can only be compared with another one: measure the other server with the same flags and --save-result --save-detailed.',
    );
  }
  const runs = sources.filter(({ kind }) => kind === 'run').length;
  if (runs !== 1) return sources;
  throw new InputError(
    'A saved run can only be compared with another one: measure the server with bench serve --run-dir, and give that run.',
  );
}
