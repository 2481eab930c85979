// Holds all that a user reads to the glossary: words that were replaced do not come back.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');

/** What was written, to what docs/glossary.md and the style of the docs ask for. */
const replaced: readonly (readonly [RegExp, string])[] = [
  [/\bprefill and decode apart\b/i, 'disaggregated prefill and decode'],
  [/\b(take|takes|taken|taking) apart\b/i, 'disaggregate, split, separate'],
  [/\bmend(s|ed|ing)?\b/i, 'fix, correct'],
  [/\btwins?\b/i, 'duplicate'],
  [/\b(is|are|was|were|be|been|not) heard\b/i, 'connected, received, reported'],
  [/\bfrom afar\b/i, 'remote'],
  [/\bquick(er|est)\b/i, 'faster, fastest'],
  [/\bunless given\b/i, 'default …'],
  [/\b(no|some)body\b/i, 'the thing or person that is meant: no client, another router, a user'],
  [/\bwhoever\b/i, 'the thing or person that is meant'],
  [/\bin turns\b/i, 'alternately'],
  [/\btold against\b/i, 'compared with'],
  [/\banew\b/i, 'again, from the start'],
];

for (const file of globSync(['*.md', 'docs/**/*.md', 'src/**/*.md'], { cwd: root })) {
  test(`${file} uses the words of the glossary`, () => {
    const text = readFileSync(join(root, file), 'utf8');
    const prose = text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, '');
    assert.deepEqual(faultsIn(prose), []);
  });
}

test('strings of the program use the words of the glossary', () => {
  const faults = globSync(['src/**/*.ts', 'web/src/**/*.{ts,tsx}'], { cwd: root })
    .filter((file) => !/\.(test|suite)\.tsx?$/.test(file) && !isForeign(file))
    .flatMap((file) => {
      const code = readFileSync(join(root, file), 'utf8').replace(/^\s*(\/\/|\/\*|\*).*$/gm, '');
      const strings = [...code.matchAll(/'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g)].map(([s]) => s);
      return faultsIn(strings.join('\n')).map((fault) => `${file}: ${fault}`);
    });
  assert.deepEqual(faults, []);
});

/** Texts that others prescribe: what vLLM and the JSON schemas of structured output say. */
function isForeign(file: string): boolean {
  return file.includes('structured/') || file.startsWith('src/core/api/');
}

function faultsIn(text: string): string[] {
  return replaced.flatMap(([pattern, instead]) => {
    const found = pattern.exec(text);
    if (found === null) return [];
    const around = text.slice(Math.max(0, found.index - 30), found.index + found[0].length + 30);
    return [`"${around.replace(/\s+/g, ' ').trim()}": write ${instead}`];
  });
}
