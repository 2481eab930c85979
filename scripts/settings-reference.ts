// The text of docs/reference/settings.md, from the table of settings.
import {
  type Effect,
  engineKeys,
  type Program,
  type Setting,
  settingSubjects,
  stackKeys,
} from '../src/core/layout/index.ts';

/** Columns of the tables, in their order. */
const columns: readonly (readonly [Program, string])[] = [
  ['engine', 'embedded engine'],
  ['simulate', '`simulate -f`'],
  ['recorded', '`simulate --engine-args`'],
  ['plan', '`plan` writes it'],
  ['serve', '`vllm serve`'],
];

/** One table per subject, then the flags without effect by reason, then the keys that are not flags. */
export function settingsReference(): string {
  return [
    '# Settings of an engine',
    '',
    'Written by `npm run docs` from `src/core/layout`; do not edit.',
    '',
    'The effect of a key of the values file, a flag of `vllm serve` or a key of `engine_kwargs` in each program. A flag is written',
    'with dashes or underscores, as `--flag value` or `--flag=value`; a switch also as `--no-flag`. `engine_kwargs` have the name',
    'of the flag with underscores. vLLM uses the last occurrence of a repeated flag, and `extraArgs` come after the keys. Keys are',
    'those of an entry of `servingEngineSpec.modelSpec`. Values are read as vLLM 0.32 reads them.',
    '',
    'A dash: no effect, and nothing is missing. **Not modelled**: a real vLLM would run differently. The last column gives the reason.',
    '',
    ...Object.entries(settingSubjects).flatMap(([subject, rows]) => subjectSection(subject, rows)),
    ...withoutEffectSection(),
    ...keySections(),
  ].join('\n');
}

function subjectSection(subject: string, rows: Readonly<Record<string, Setting>>): string[] {
  const shown = Object.values(rows).filter((row) => !isWithoutEffect(row));
  if (shown.length === 0) return [];
  return [
    `## ${subject}`,
    '',
    `| flag | key | value | default | meaning | ${columns.map(([, title]) => title).join(' | ')} | why not |`,
    `|---|---|---|---|---|${columns.map(() => '---|').join('')}---|`,
    ...shown.map(
      (row) =>
        `| ${[row.flag, ...row.aliases].map(code).join(', ')} | ${row.keys.map(code).join(', ')} | ` +
        `${valueText(row)} | ${cell(defaultText(row))} | ${cell(row.about)} | ` +
        `${columns.map(([program]) => markOf(row.effects[program])).join(' | ')} | ${reasonsOf(row)} |`,
    ),
    '',
  ];
}

/** Flags that change nothing in our programs, and are passed to vLLM as they are. */
function isWithoutEffect({ effects, keys }: Setting): boolean {
  const isVain = [effects.engine, effects.simulate, effects.recorded].every(
    ({ kind }) => kind !== 'used',
  );
  return isVain && keys.length === 0 && reasonOf(effects.engine) === reasonOf(effects.simulate);
}

function withoutEffectSection(): string[] {
  const rows = Object.values(settingSubjects)
    .flatMap((subject) => Object.values(subject))
    .filter(isWithoutEffect);
  const byReason = Map.groupBy(rows, ({ effects }) => effectText(effects.engine));
  return [
    '## Flags without effect',
    '',
    'Accepted by the embedded engine and by simulations, which give the reason once, and passed to `vllm serve`.',
    '',
    '| reason | flags |',
    '|---|---|',
    ...[...byReason].map(([reason, group]) => {
      const flags = group.flatMap(({ flag, aliases }) => [flag, ...aliases]);
      return `| ${reason} | ${flags.map(code).join(', ')} |`;
    }),
    '',
  ];
}

function keySections(): string[] {
  return [
    '## Other keys of an entry',
    '',
    'Keys of `servingEngineSpec.modelSpec[]` that are no flag; a key stands for all keys below it.',
    '',
    '| key | `up`, embedded engine | `up`, `vllm serve` | `simulate -f` |',
    '|---|---|---|---|',
    ...Object.entries(engineKeys).map(
      ([key, { engine, serve, simulate }]) =>
        `| ${code(key)} | ${[engine, serve, simulate].map(effectText).join(' | ')} |`,
    ),
    '',
    '## Keys outside modelSpec',
    '',
    'Parameters of routing policies, which have an effect in both, are in [policies](policies.md).',
    '',
    '| key | `up` | `simulate -f` |',
    '|---|---|---|',
    ...Object.entries(stackKeys).map(
      ([key, { up, simulate }]) =>
        `| ${code(key)} | ${[up, simulate].map(effectText).join(' | ')} |`,
    ),
    '',
  ];
}

function valueText({ value, unit }: Setting): string {
  if (value.arity === 'switch') return 'switch';
  return cell(unit === undefined ? value.allowed : `${value.allowed} (${unit})`);
}

function defaultText({ default: given, defaultText: words }: Setting): string {
  return words ?? (given === undefined ? '' : String(given));
}

function markOf({ kind }: Effect): string {
  return { used: 'yes', none: '–', missing: '**not modelled**' }[kind];
}

/** Each reason once, in the order of the columns; plans say by themselves what they write. */
function reasonsOf({ effects }: Setting): string {
  const reasons = columns.flatMap(([program]) =>
    program === 'plan' ? [] : [reasonOf(effects[program])],
  );
  return [...new Set(reasons.filter((reason) => reason !== ''))].map(cell).join('; ');
}

function effectText(effect: Effect): string {
  if (effect.kind === 'used') return 'yes';
  return effect.kind === 'missing'
    ? `**not modelled**: ${cell(effect.reason)}`
    : cell(effect.reason);
}

function reasonOf(effect: Effect): string {
  return effect.kind === 'used' ? '' : effect.reason;
}

function code(text: string): string {
  return `\`${text}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
