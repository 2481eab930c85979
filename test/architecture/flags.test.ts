// A flag that a guide names is one of a program: of Spillway's, whose reference is generated from --help, or of another.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

/** Flags of other programs in the guides, which have no reference here. */
const others = new Set(
  [
    // Node and the benchmarks of this repository
    '--max-semi-space-size --min-semi-space-size --single-threaded-gc --trace-gc-nvp',
    '--chaos --first-seed --kilobytes --loads --proxies --rate --repeats --restarts --routers --scenario --seconds --streams',
    // helm, kubectl, minikube, gcloud, az, docker
    '--create-namespace --name --reuse-values --container-runtime --driver --gpus --insecure-registry --feature-gates --cascade',
    '--accelerator --cluster --cluster-name --global --location --machine-type --num-nodes --region',
    '--generate-ssh-keys --node-count --node-taints --node-vm-size --resource-group',
    // LMCache, upstream's router, other benchmarks and gateways
    '--coordinator-event-reporting --eviction-policy --l1-size-gb --l2-adapter --kv-event-block-size',
    '--static-model-types --enable-feature --maxlen --batches --fit --num-dataset-entries --num-requests',
    '--warmup-request-count',
    // Abbreviations, which pages explain
    '--num-pro --static-al',
  ].flatMap((line) => line.split(' ')),
);

const flagsOf = (file: string) => [
  ...new Set(readFileSync(file, 'utf8').match(/(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9](?![\w-])/g)),
];

test('each flag in README and guides is one of a program', () => {
  const known = new Set(globSync('docs/reference/*.md').flatMap(flagsOf));
  const unknown = globSync(['README.md', 'docs/{guide,models}/**/*.md']).flatMap((page) =>
    flagsOf(page)
      .filter((flag) => !known.has(flag) && !others.has(flag))
      .map((flag) => `${page}: ${flag}`),
  );
  assert.deepEqual(unknown, []);
});
