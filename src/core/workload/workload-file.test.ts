import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ValuesError } from '../values/index.ts';
import { parseWorkload } from './index.ts';

const good = `kind: shared-prefix
groups: 45
promptsPerGroup: 10
systemPrompt: 30000
question: { mean: 256, cv: 0.2 }
answer: 1024
arrivals: { clients: 45 }
`;

test('a file is read with its defaults', () => {
  const workload = parseWorkload(good, 'w.yaml');
  assert.deepEqual(workload.arrivals, { clients: 45, thinkSeconds: 0 });
  assert.equal(workload.settings['order'], 'shuffled');
  assert.deepEqual(workload.settings['question'], { mean: 256, cv: 0.2 });
});

const faults: readonly [what: string, text: string, message: RegExp][] = [
  ['no kind', 'groups: 1', /^w\.yaml:1:1: kind is missing; it must be one of single, shared/],
  ['an unknown kind', 'kind: shared', /^w\.yaml:1:7: kind must be one of .*shared-prefix\?$/],
  [
    'an unknown key',
    good.replace('promptsPerGroup', 'prompts_per_groups'),
    /^w\.yaml:3:1: prompts_per_groups is not a known key; did you mean promptsPerGroup\?$/m,
  ],
  ['a missing key', good.replace('groups: 45\n', ''), /groups is missing; it must be a whole/],
  [
    'a number out of range',
    good.replace('groups: 45', 'groups: 0'),
    /^w\.yaml:2:9: groups must be a whole number of at least 1, not 0\.$/,
  ],
  [
    'an unknown process',
    good.replace('{ clients: 45 }', '{ process: poison, rate: 3 }'),
    /^w\.yaml:7:22: arrivals\.process must be one of constant, .*did you mean poisson\?$/,
  ],
  [
    'a process without its rate',
    good.replace('{ clients: 45 }', '{ process: poisson }'),
    /^w\.yaml:7:\d+: arrivals\.rate is missing; it must be a number above 0\.$/,
  ],
  [
    'a range that goes backwards',
    good.replace('1024', '{ from: 9, to: 3 }'),
    /^w\.yaml:6:\d+: answer\.to must be/,
  ],
  [
    'no end',
    'kind: single\nprompt: 9\nanswer: 9\narrivals: { clients: 1 }',
    /^w\.yaml:1:1: a workload of kind single has no end; set requests or seconds\.$/,
  ],
  ['no YAML', 'kind: [', /^w\.yaml:1:\d+: not valid YAML/],
];

for (const [what, text, message] of faults) {
  test(`${what} is one sentence with its line`, () => {
    assert.throws(
      () => parseWorkload(text, 'w.yaml'),
      (error) => {
        assert.ok(error instanceof ValuesError, String(error));
        assert.match(error.message, message);
        return true;
      },
    );
  });
}
