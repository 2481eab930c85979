import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constrainedText } from './constrained-text.ts';
import { GrowingText } from './growing-text.ts';
import { schemaText } from './schema-text.ts';
import { ScriptTokens } from './script-tokens.ts';
import { chosenCall, demandedCall, ToolCallStream } from './tool-call.ts';

const parameters = {
  type: 'object',
  properties: { city: { type: 'string', enum: ['Paris'] }, days: { type: 'integer', minimum: 3 } },
  required: ['city', 'days'],
};
const request = {
  tools: [{ type: 'function' as const, function: { name: 'get_weather', parameters } }],
  tool_choice: 'required' as const,
};
const allowed = { enableAutoToolChoice: true, toolCallParser: 'hermes' };

/** The value whose text a schema gets; undefined for a type that JSON lacks. */
function schemaInstance(schema: unknown): unknown {
  const pieces = schemaText(schema);
  return pieces && JSON.parse([...pieces].join(''));
}

test('generates a value that a schema allows', () => {
  assert.deepEqual(schemaInstance(parameters), { city: 'Paris', days: 3 });
  assert.deepEqual(
    schemaInstance({
      type: 'object',
      required: ['list', 'one', 'ref', 'text', 'flag', 'none'],
      properties: {
        list: { type: 'array', items: { type: 'number', exclusiveMinimum: 1 }, minItems: 2 },
        one: { anyOf: [{ const: 7 }, { type: 'string' }] },
        ref: { $ref: '#/$defs/name' },
        text: { type: 'string', minLength: 12, maxLength: 12 },
        flag: { type: ['boolean', 'null'] },
        none: { type: 'null' },
      },
      $defs: { name: { type: 'string', format: 'date' } },
    }),
    {
      list: [1.5, 1.5],
      one: 7,
      ref: '2026-01-01',
      text: 'synthetic te',
      flag: true,
      none: null,
    },
  );
  assert.equal(schemaInstance({ type: 'no-such-type' }), undefined);
});

test('returns for a schema that refers to itself', () => {
  const node = { type: 'object', required: ['next'], properties: { next: { $ref: '#' } } };
  assert.equal(typeof schemaInstance(node), 'object');
});

test('generates responses for choices, grammars and JSON', () => {
  assert.equal(constrainedText({ choice: ['alpha', 'beta'] })?.whole(), 'alpha');
  assert.equal(constrainedText({ grammar: 'root ::= "yes" | "no"' })?.whole(), 'yes');
  assert.equal(constrainedText({ json: parameters })?.whole(), '{"city":"Paris","days":3}');
  assert.equal(constrainedText(undefined), undefined);
  assert.throws(() => constrainedText({ json: 'x' }), /Invalid JSON grammar specification/);
});

test('a required tool call has arguments that match its schema, and streams in parts', () => {
  const call = demandedCall(request, allowed);
  assert.ok(call);
  assert.deepEqual(JSON.parse(call.argumentsJson.whole()), { city: 'Paris', days: 3 });
  const stream = new ToolCallStream(call, 'id-1');
  const deltas = call.text
    .whole()
    .match(/.{1,7}/gs)
    ?.flatMap((part) => stream.push(part)) as {
    function: { name?: string; arguments?: string };
  }[];
  assert.equal(deltas[0]?.function.name, 'get_weather');
  assert.equal(
    deltas.map((delta) => delta.function.arguments ?? '').join(''),
    call.argumentsJson.whole(),
  );
});

test('tool calls need the same flags as in vLLM', () => {
  const closed = { enableAutoToolChoice: false, toolCallParser: undefined };
  assert.throws(
    () => demandedCall({ ...request, tool_choice: 'auto' }, closed),
    /"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set/,
  );
  assert.throws(
    () => demandedCall(request, closed),
    /tool_choice="required" requires --tool-call-parser to be set/,
  );
  assert.equal(demandedCall({ ...request, tool_choice: 'auto' }, allowed), undefined);
  assert.equal(demandedCall({ ...request, tool_choice: 'none' }, closed), undefined);
});

test('with auto, a user’s turn may get a tool call, a tool result never does', () => {
  const messages = [{ role: 'user', content: 'Weather?' }];
  const auto = { ...request, messages, tool_choice: 'auto' as const };
  const calls = Array.from({ length: 20 }, (_, draw) => chosenCall(auto, draw));
  assert.equal(calls.filter((call) => call?.name === 'get_weather').length, 10);
  const result = [...messages, { role: 'tool', content: 'sunny' }];
  assert.equal(chosenCall({ ...auto, messages: result }, 1), undefined);
  assert.equal(chosenCall({ ...auto, tool_choice: 'none' }, 1), undefined);
  assert.equal(chosenCall({ ...auto, response_format: { type: 'json_object' } }, 1), undefined);
});

test('a tool call is written as far as it is sent', () => {
  const endless = { type: 'array', minItems: 1e9, items: { type: 'integer' } };
  const tools = [{ type: 'function' as const, function: { name: 'f', parameters: endless } }];
  const call = demandedCall({ ...request, tools }, allowed);
  assert.ok(call);
  const stream = new ToolCallStream(call, 'id-1');
  const sent = call.text.slice(0, 5_000);
  assert.equal(sent.length, 5_000);
  const [, json] = stream.push(sent);
  assert.equal(json?.function.arguments, sent.slice(call.argumentsStart));
});

test('the tokens of a text are encoded as far as they are read, and no character is cut', () => {
  let written = 0;
  function* pieces(count: number) {
    for (; written < count; written++) yield `${written}🧑`;
  }
  const encode = (text: string) => Array.from(text, (character) => character.codePointAt(0) ?? 0);
  const endless = new ScriptTokens(new GrowingText(pieces(1e9)), encode);
  assert.equal(endless.at(4), '2'.charCodeAt(0));
  assert.ok(written < 5_000);
  written = 0;
  const tokens = new ScriptTokens(new GrowingText(pieces(5_000)), encode);
  let text = '';
  for (let i = 0, token = tokens.at(0); token !== undefined; token = tokens.at(++i)) {
    text += String.fromCodePoint(token);
  }
  assert.equal(text, Array.from({ length: 5_000 }, (_, i) => `${i}🧑`).join(''));
});
