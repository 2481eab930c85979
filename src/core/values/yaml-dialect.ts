// YAML as Helm reads it: the core schema, plus the parts of YAML 1.1 that Helm's library still
// accepts. A file must not mean one thing to `helm install` and another to `spillway up`.
import type { ScalarTag, SchemaOptions, Tags } from 'yaml';

/**
 * yes, no, on, off as booleans, 0644 as octal, 1_000 as a number.
 * @see https://github.com/go-yaml/yaml/blob/v2/resolve.go
 */
const helmTags: readonly ScalarTag[] = [
  {
    tag: 'tag:yaml.org,2002:bool',
    default: true,
    test: /^(?:y|Y|yes|Yes|YES|on|On|ON)$/,
    identify: () => false,
    resolve: () => true,
  },
  {
    tag: 'tag:yaml.org,2002:bool',
    default: true,
    test: /^(?:n|N|no|No|NO|off|Off|OFF)$/,
    identify: () => false,
    resolve: () => false,
  },
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

/** Options of the YAML library, for parsing and writing. */
export const helmYaml: SchemaOptions = {
  schema: 'core',
  customTags: (tags: Tags) => [...helmTags, ...tags],
};
