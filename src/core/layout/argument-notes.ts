// Notes about extraArgs of an entry that vLLM would not understand: misspelt, stray and former arguments.
import { nearest, nearestSpelling } from '../base/index.ts';
import type { EngineKind, ModelEntry, Values } from '../values/index.ts';
import { formerFlag, formerTransfer, transferAt } from './former-flags.ts';
import { imageRelease, isAtMost, type VllmRelease } from './image-version.ts';
import { entryArguments, readWords } from './read-settings.ts';
import { settingNames, settingOfFlag, settingsTable } from './table.ts';
import { abbreviatedFlag, isFlag, longForm } from './words.ts';

/** A note about the arguments of an entry. */
export interface ArgumentNote {
  readonly path: readonly (string | number)[];
  /** A clause without its full stop. */
  readonly reason: string;
}

/** @param kindOf What an entry runs; an engine at a URL has no arguments. */
export function argumentNotes(
  values: Values,
  kindOf: (entry: ModelEntry) => EngineKind,
): readonly ArgumentNote[] {
  return values.servingEngineSpec.modelSpec.flatMap((entry, index) => {
    const kind = kindOf(entry);
    if (!entry.enabled || kind === 'url') return [];
    const path = ['servingEngineSpec', 'modelSpec', index, 'vllmConfig', 'extraArgs'];
    const reasons = [
      ...reasonsOf(entry, kind),
      ...portReasons(entry, values.servingEngineSpec.containerPort),
    ];
    return reasons.map((reason) => ({ path, reason }));
  });
}

/** An engine listens where its probes and its router look for it. */
function portReasons(entry: ModelEntry, containerPort: number): readonly string[] {
  const words = entryArguments(entry);
  const at = words.findLastIndex((word) => /^--port(=|$)/.test(word));
  if (at < 0) return [];
  const port = words[at]?.split('=')[1] ?? words[at + 1] ?? '';
  return port === String(containerPort)
    ? []
    : [
        `--port ${shortened(port)} has no effect under "spillway up", which gives each engine its own address, and on Kubernetes probes and Service use servingEngineSpec.containerPort (${containerPort}); set that key instead`,
      ];
}

/** Arguments that `spillway engine` refuses, which emulates vLLM 0.32: unknown flags and words that belong to no flag. */
export function refusedArguments(entry: ModelEntry): readonly string[] {
  const { unknown, stray } = readWords(entryArguments(entry));
  return [...unknown, ...stray];
}

function reasonsOf(entry: ModelEntry, kind: EngineKind): readonly string[] {
  const { unknown, stray, sources } = readWords(entryArguments(entry));
  const image = kind === 'vllm' ? imageRelease(entry) : undefined;
  // An embedded engine has a note for these already.
  const removed = kind === 'vllm' ? [...sources.values()].filter((flag) => formerFlag(flag)) : [];
  return [
    ...[...unknown, ...removed].map((flag) => flagReason(flag, image)),
    ...entryArguments(entry).flatMap(shortReasons),
    ...entryArguments(entry).flatMap(switchReasons),
    ...stray.map(strayReason),
    ...transferReasons(entry.vllmConfig?.extraArgs ?? [], kind, image),
  ];
}

/** @param word Of a command line. */
export function unknownFlagReason(word: string): string {
  const [flag = word] = longForm(word).split(/=(.*)/s);
  return flagReason(flag, undefined);
}

/** vLLM accepts the beginning of a flag, as long as no other flag begins so. */
function shortReasons(word: string): readonly string[] {
  const full = isFlag(word) ? abbreviatedFlag(word) : undefined;
  return full === undefined
    ? []
    : [`${word.split('=')[0]?.replaceAll('_', '-')} is short for ${full}; write it out`];
}

/** Releases until 0.8 let some switches have a value, as one argument or two. */
function switchReasons(word: string, index: number, words: readonly string[]): readonly string[] {
  const [flag = '', inline] = word.split('=', 2);
  const value = inline ?? words[index + 1] ?? '';
  if (!flag.startsWith('--') || !/^(true|false)$/i.test(value)) return [];
  const spelt = flag.replaceAll('_', '-');
  const name = settingOfFlag(spelt);
  if (name === undefined || settingsTable[name].value.arity !== 'switch') return [];
  const plain = /^true$/i.test(value) ? spelt : spelt.replace(/^--/, '--no-');
  const written = inline === undefined ? `${word} ${value}` : word;
  return [`${written} has a value, which vLLM refuses after 0.8; write ${plain}`];
}

function flagReason(flag: string, image: VllmRelease | undefined): string {
  const former = formerFlag(flag);
  if (former !== undefined) return formerReason(flag, former.last, former.instead, image);
  const [name = '', ...rest] = flag.split(/\s+/);
  if (rest.length > 0) {
    return `"${flag}" is one argument with a space in it; write two items, "${name}" and "${rest.join(' ')}"`;
  }
  const spelt = flag.replaceAll('_', '-');
  const near = nearestSpelling(spelt, knownFlags()) ?? nearest(spelt, knownFlags());
  const what = `${flag} is not a known flag of vLLM 0.32`;
  return near === undefined ? `${what}; check its spelling` : `${what}; did you mean ${near}?`;
}

function formerReason(
  name: string,
  last: string | undefined,
  instead: string,
  image: VllmRelease | undefined,
): string {
  if (image !== undefined && isAtMost(image, last ?? lastBefore)) {
    return last === undefined
      ? `vLLM 0.32 has no ${name}, which the image's tag ${image.tag} may have: before you upgrade, ${instead}`
      : `the image's tag ${image.tag} has ${name}, but no vLLM after ${last} has: before you upgrade, ${instead}`;
  }
  return last === undefined
    ? `vLLM 0.32 has no ${name}: ${instead}`
    : `vLLM has no ${name} after ${last}: ${instead}`;
}

/** The release before that of the table of settings. */
const lastBefore = '0.31';

function strayReason(word: string): string {
  const flag = `--${word.replaceAll('_', '-').replace(/=.*$/s, '')}`;
  return settingOfFlag(flag) === undefined
    ? `"${shortened(word)}" belongs to no flag, and vLLM would refuse it`
    : `"${shortened(word)}" has no dashes in front, and vLLM would refuse it; write --${word}`;
}

function transferReasons(
  words: readonly string[],
  kind: EngineKind,
  image: VllmRelease | undefined,
): readonly string[] {
  return words.flatMap((_, i) => {
    const former = formerTransfer(transferAt(words, i)?.value ?? '');
    if (former === undefined) return [];
    const flag = '--kv-transfer-config';
    const connector = former.connector;
    const gone = kind === 'embedded' ? ', and an embedded engine does without' : '';
    return [
      ...(former.keys.length === 0
        ? []
        : [
            formerReason(
              `${former.keys.join(', ')} in ${flag}`,
              undefined,
              former.keys.length === 1 ? 'remove it' : 'remove them',
              image,
            ),
          ]),
      ...(connector === undefined
        ? []
        : [
            formerReason(
              `${connector.name} in ${flag}`,
              connector.last,
              connector.now === undefined ? `use NixlConnector${gone}` : `use ${connector.now}`,
              image,
            ),
          ]),
    ];
  });
}

const shownCharactersMax = 40;

function shortened(text: string): string {
  return text.length > shownCharactersMax ? `${text.slice(0, shownCharactersMax)}…` : text;
}

function knownFlags(): readonly string[] {
  known ??= settingNames.map((name) => settingsTable[name].flag);
  return known;
}

let known: readonly string[] | undefined;
