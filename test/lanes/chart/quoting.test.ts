// Helm writes a hostile text as it is where a chart's value is a template.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { helmText } from '../../../src/core/quoting/index.ts';
import { hostileTexts } from '../../support/hostile-texts.ts';
import { objects } from './helm.ts';

/** Without control characters, which YAML lacks, and the line break that YAML 1.1 has and 1.2 has not. */
const texts = hostileTexts.filter((text) => !/[^\P{Cc}\t\n\r]|\u2028/u.test(text));

test('a text in extraObjects reaches the object as it is', async () => {
  const data = Object.fromEntries(texts.map((text, i) => [`k${i}`, helmText(text)]));
  const all = await objects({
    extraObjects: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'own-texts' }, data }],
  });
  const found = all.find(({ metadata }) => metadata.name === 'own-texts');
  assert.deepEqual(Object.values(found?.['data'] ?? {}), texts);
});
