// The chart's templates with the arguments of engines and router, from the tables that "spillway up" reads too.
import { admissionSettings, hedgeSettings, routerTimeouts } from '../src/core/attempts/index.ts';
import {
  podKvEvents,
  type SettingName,
  type StartedProgram,
  settingsTable,
  wordOrder,
} from '../src/core/layout/index.ts';
import { policyParameters, slowStartSecondsDefault } from '../src/core/routing/index.ts';
import { engineTlsSettings, listenerTlsSettings } from '../src/core/tls/index.ts';

/** templates/_engine-arguments.tpl: the words of one engine after its model and its address. */
export function engineArguments(): string {
  return [
    '{{/*',
    'Written by "npm run docs" from the table of settings (src/core/layout); do not edit.',
    'Arguments of one engine after its model and its address. Takes an entry of servingEngineSpec.modelSpec.',
    '*/}}',
    ...engineTemplate('vllm', 'chart'),
    '',
    ...engineTemplate('embedded', 'engine'),
    '',
  ].join('\n');
}

/** templates/_router-arguments.tpl: the words of Spillway's router that upstream's router does not have. */
export function routerArguments(): string {
  const spec = '$spec';
  return [
    '{{/*',
    'Written by "npm run docs" from the tables of policies, timeouts, admission and hedging; do not edit.',
    "Arguments that only Spillway's router has, where a key differs from its default. Takes routerSpec.",
    '*/}}',
    '{{- define "spillway.router-arguments" -}}',
    `{{- ${spec} := . -}}`,
    ...policyParameters
      .filter(({ upstream }) => upstream?.valuesKey === undefined)
      .flatMap(({ flag, valuesKey, default: standard }) =>
        unlessDefault(`${spec}.${valuesKey}`, flag, standard),
      ),
    ...routerTimeouts.flatMap(({ key, flag, default: standard }) =>
      unlessDefault(`(${spec}.timeouts | default dict).${key}`, flag, standard),
    ),
    ...hedgeSettings.flatMap(({ key, flag, default: standard }) =>
      unlessDefault(`(${spec}.hedging | default dict).${key}`, flag, standard),
    ),
    ...admissionSettings.flatMap(({ key, flag, default: standard }) =>
      unlessDefault(`(${spec}.admission | default dict).${key}`, flag, standard),
    ),
    ...unlessDefault(`${spec}.slowStart`, '--slow-start', slowStartSecondsDefault),
    ...unlessDefault(`${spec}.engineTokenizeTimeout`, '--engine-tokenize-timeout', 0),
    ...unlessDefault(`${spec}.drainDelay`, '--drain-delay', undefined),
    ...listenerTlsSettings.flatMap(({ key, flag }) =>
      ifGiven(`(${spec}.tls | default dict).${key}`, flag),
    ),
    ...engineTlsSettings.flatMap(({ key, flag }) =>
      ifGiven(`(${spec}.engineTls | default dict).${key}`, flag),
    ),
    `{{- if not (kindIs "invalid" ${spec}.pickHeader) }}`,
    `- {{ ternary "--pick-header" "--no-pick-header" ${spec}.pickHeader | quote }}`,
    '{{- end }}',
    ...ifGiven(`${spec}.cacheSaltFrom`, '--cache-salt-from'),
    `{{- if eq (toString ${spec}.migration) "false" }}`,
    '- "--no-migration"',
    '{{- end }}',
    `{{- range ${spec}.tokenizer }}`,
    '- "--tokenizer"',
    '- {{ . | quote }}',
    '{{- end }}',
    '{{- end }}',
    '',
  ].join('\n');
}

function ifGiven(value: string, flag: string): string[] {
  return [`{{- with ${value} }}`, `- "${flag}"`, '- {{ . | quote }}', '{{- end }}'];
}

function unlessDefault(value: string, flag: string, standard: unknown): string[] {
  const given = `not (kindIs "invalid" ${value})`;
  const differs =
    standard === undefined
      ? given
      : `and (${given}) (ne (include "spillway.text" ${value}) ${JSON.stringify(String(standard))})`;
  return [
    `{{- if ${differs} }}`,
    `- "${flag}"`,
    `- {{ include "spillway.text" ${value} | quote }}`,
    '{{- end }}',
  ];
}

function engineTemplate(name: string, program: StartedProgram): string[] {
  const { before, after } = wordOrder(program);
  return [
    `{{- define "spillway.engine-arguments.${name}" -}}`,
    '{{- $entry := . -}}',
    '{{- $config := $entry.vllmConfig -}}',
    ...before.flatMap(settingLines),
    '{{- if ($config | default dict).kvEvents }}',
    '- "--kv-events-config"',
    `- ${singleQuoted(kvEventsConfig())}`,
    '{{- end }}',
    '{{- range ($config | default dict).extraArgs }}',
    '- {{ . | quote }}',
    '{{- end }}',
    ...(program === 'engine'
      ? after.flatMap(settingLines)
      : [...lmcacheLines, ...chatTemplateLines]),
    '{{- end }}',
  ];
}

/** The lines of one setting, as `entryWords` of src/core/layout/command-line.ts writes its words. */
function settingLines(name: SettingName): string[] {
  const { flag, keys, value, defaultText, chartDefault } = settingsTable[name];
  return keys.flatMap((key) => {
    const [head, last] = key.startsWith('vllmConfig.')
      ? ['$config', key.slice('vllmConfig.'.length)]
      : ['$entry', key];
    const at = `(${head} | default dict).${last}`;
    const given = `not (kindIs "invalid" ${at})`;
    if (value.arity === 'switch') {
      const off = defaultText === 'on' ? [`- "${flag.replace('--', '--no-')}"`] : [];
      const offCondition =
        chartDefault === false ? `not (kindIs "invalid" ${head})` : `eq (toString ${at}) "false"`;
      return [
        `{{- if ${at} }}`,
        `- "${flag}"`,
        ...(off.length === 0 ? [] : [`{{- else if ${offCondition} }}`, ...off]),
        '{{- end }}',
      ];
    }
    if (value.arity === 'repeated') {
      return [`{{- range ${at} }}`, `- "${flag}"`, '- {{ . | quote }}', '{{- end }}'];
    }
    return [
      `{{- if and (${given}) (ne (toString ${at}) "") }}`,
      `- "${flag}"`,
      `- {{ include "spillway.text" ${at} | quote }}`,
      '{{- end }}',
    ];
  });
}

function kvEventsConfig(): string {
  return JSON.stringify({
    ...{ enable_kv_cache_events: true, publisher: 'zmq' },
    endpoint: podKvEvents.endpoint,
    replay_endpoint: podKvEvents.replayEndpoint,
    topic: 'kv-events',
  });
}

const lmcacheLines = [
  '{{- $hasConnector := false }}',
  '{{- range ($config | default dict).extraArgs }}{{ if regexMatch "^--kv[-_]transfer[-_]config(=|$)" . }}{{ $hasConnector = true }}{{ end }}{{ end }}',
  '{{- with $entry.lmcacheConfig }}',
  '{{- if and .enabled (not $hasConnector) }}',
  '- "--kv-transfer-config"',
  '{{- if .mpServer }}',
  '- {{ include "spillway.engine.multiprocess-connector" $entry | quote }}',
  '{{- else }}',
  '{{- $connector := "LMCacheConnectorV1" }}',
  '{{- if and (not .enablePD) (eq (toString ($config | default dict).v0) "1") }}{{ $connector = "LMCacheConnector" }}{{ end }}',
  '{{- $extra := "" }}',
  '{{- if .enablePD }}{{ $extra = printf ",\\"kv_connector_extra_config\\":{\\"discard_partial_chunks\\":false,\\"lmcache_rpc_port\\":%s}" (.nixlRole | default "" | quote) }}{{ end }}',
  '- {{ printf "{\\"kv_connector\\":%s,\\"kv_role\\":%s%s}" (quote $connector) (.kvRole | default "kv_both" | quote) $extra | squote }}',
  '{{- end }}',
  '{{- end }}',
  '{{- end }}',
];

const chatTemplateLines = [
  '{{- with $entry.chatTemplate }}',
  '- "--chat-template"',
  '- {{ printf "/templates/%s" . | quote }}',
  '{{- end }}',
];

function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
