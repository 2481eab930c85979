import assert from 'node:assert/strict';
import test from 'node:test';
import { z } from 'zod';
import { readDocument } from './read-document.ts';

const schema = z.strictObject({
  fleet: z.strictObject({ engines: z.int().min(1), gpu: z.enum(['H100', 'CPU']).optional() }),
});

const problems = (text: string): string => {
  try {
    readDocument(schema, text, 'my.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  return '';
};

test('returns a valid document as typed data, from YAML or JSON', () => {
  assert.deepEqual(readDocument(schema, 'fleet: {engines: 8}', 'my.yaml').value, {
    fleet: { engines: 8 },
  });
  assert.equal(readDocument(schema, '{"fleet": {"engines": 2}}', 'my.json').value.fleet.engines, 2);
});

test('reports a fault with file, line, column, key and what is allowed', () => {
  assert.match(
    problems('fleet:\n  engines: many\n'),
    /^my\.yaml:2:12: fleet\.engines must be a whole number of at least 1, not the text "many"\.$/,
  );
});

test('suggests the most similar key of this schema, not of the values file', () => {
  assert.match(
    problems('fleet:\n  engine: 8\n  engines: 8\n'),
    /fleet\.engine is not a known key; did you mean engines\?/,
  );
  assert.match(
    problems('fleet: {engines: 8}\nrouterSpec: {}\n'),
    /routerSpec is not a known key; known at the top: fleet/,
  );
});

test('a flag overrides the file, and a fault in it names the flag', () => {
  const override = (value: unknown) => [
    { path: ['fleet', 'engines'], value, source: `--engines ${value}` },
  ];
  const file = 'fleet: {engines: 8, gpu: CPU}';
  assert.deepEqual(readDocument(schema, file, 'my.yaml', override(2)).value.fleet, {
    engines: 2,
    gpu: 'CPU',
  });
  assert.throws(
    () => readDocument(schema, file, 'my.yaml', override('two')),
    /--engines two: fleet\.engines must be a whole number of at least 1, not the text "two"\./,
  );
});

test('refuses text that is not YAML, with its line', () => {
  assert.match(problems('fleet: [1'), /^my\.yaml:1:\d+: not valid YAML/);
});
