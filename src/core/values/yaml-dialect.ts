// YAML as Helm and as Python read it: the core schema, plus the parts of YAML 1.1 that their libraries still
// accept. A file must not mean one thing to `helm install` or to upstream's router and another to Spillway.
import type { ScalarTag, SchemaOptions, Tags } from 'yaml';

/** yes, no, on and off as booleans, 0644 as octal, 1_000 as a number. */
const oldTags: readonly ScalarTag[] = [
  booleanTag(/^(?:yes|Yes|YES|on|On|ON)$/, true),
  booleanTag(/^(?:no|No|NO|off|Off|OFF)$/, false),
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    test: /^[-+]?0[0-7_]+$/,
    identify: () => false,
    resolve: (text) => Number.parseInt(text.replaceAll('_', ''), 8),
  },
  {
    tag: 'tag:yaml.org,2002:int',
    default: true,
    test: /^[-+]?[1-9][0-9]*(?:_[0-9]+)+$/,
    identify: () => false,
    resolve: (text) => Number(text.replaceAll('_', '')),
  },
];

/** Helm's library also reads y and n as booleans. */
const helmTags: readonly ScalarTag[] = [
  booleanTag(/^[yY]$/, true),
  booleanTag(/^[nN]$/, false),
  ...oldTags,
];

/**
 * Options of the YAML library for files that Helm reads, for parsing and writing.
 *
 * @see https://github.com/go-yaml/yaml/blob/v2/resolve.go
 */
export const helmYaml: SchemaOptions = dialect(helmTags);

/**
 * The same for files that upstream's router reads with PyYAML, where y and n are texts.
 *
 * @see https://github.com/yaml/pyyaml/blob/main/lib/yaml/resolver.py
 */
export const pythonYaml: SchemaOptions = dialect(oldTags);

function booleanTag(test: RegExp, value: boolean): ScalarTag {
  return {
    tag: 'tag:yaml.org,2002:bool',
    default: true,
    test,
    identify: () => false,
    resolve: () => value,
  };
}

function dialect(own: readonly ScalarTag[]): SchemaOptions {
  return { schema: 'core', customTags: (tags: Tags) => [...own, ...tags] };
}
