import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMessagesRequest } from './messages-request.ts';
import { chatRequestOf } from './to-chat-request.ts';

function messagesOf(body: object): unknown {
  return chatRequestOf(readMessagesRequest({ model: 'm', max_tokens: 5, ...body })).messages;
}

test('puts system text first, without the header that differs per request', () => {
  const system = [
    { type: 'text', text: 'x-anthropic-billing-header: 1' },
    { type: 'text', text: 'Be ' },
    { type: 'text', text: 'brief.' },
  ];
  assert.deepEqual(messagesOf({ system, messages: [{ role: 'user', content: 'Hi' }] }), [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hi' },
  ]);
});

test('turns tool results into separate messages before the user’s text', () => {
  const messages = [
    { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'f', input: { a: 1 } }] },
    {
      role: 'user',
      content: [
        { type: 'tool_result', tool_use_id: 't', content: '42' },
        { type: 'text', text: 'so?' },
      ],
    },
  ];
  const call = { id: 't', type: 'function', function: { name: 'f', arguments: '{"a":1}' } };
  assert.deepEqual(messagesOf({ messages }), [
    { role: 'assistant', tool_calls: [call] },
    { role: 'tool', tool_call_id: 't', content: '42' },
    { role: 'user', content: 'so?' },
  ]);
});

/** Returns the names of the tools in the chat request. */
function toolNames(body: object): unknown {
  const request = chatRequestOf(readMessagesRequest({ model: 'm', max_tokens: 5, ...body }));
  return request.tools?.map((tool) => tool.function?.name);
}

const change = (type: 'tool_addition' | 'tool_removal', tool: object) => ({
  role: 'system',
  content: [{ type, tool }],
});
const declared = (name: string) => ({ name, input_schema: { type: 'object' } });
const reference = (name: string) => ({ type: 'tool_reference', name });

test('refuses to add or remove a tool that is not declared', () => {
  const tools = [declared('g')];
  for (const type of ['tool_addition', 'tool_removal'] as const) {
    const messages = [change(type, reference('f'))];
    const message = new RegExp(`${type} references tool 'f', which is not declared in tools`);
    assert.throws(() => messagesOf({ messages }), message);
    assert.throws(() => messagesOf({ tools, messages }), message);
    assert.deepEqual(messagesOf({ tools: [declared('f')], messages }), []);
  }
});

test('the last addition or removal of a tool decides whether it is available', () => {
  const tools = [declared('f'), declared('g')];
  const removed = change('tool_removal', reference('f'));
  const added = change('tool_addition', reference('f'));
  assert.deepEqual(toolNames({ tools, messages: [removed] }), ['g']);
  assert.deepEqual(toolNames({ tools, messages: [removed, added] }), ['f', 'g']);
  assert.deepEqual(toolNames({ tools, messages: [added, removed] }), ['g']);
  const definition = change('tool_addition', {
    type: 'tool_definition',
    definition: declared('h'),
  });
  assert.deepEqual(toolNames({ tools, messages: [definition] }), ['f', 'g', 'h']);
  assert.deepEqual(toolNames({ messages: [definition] }), ['h']);
  const both = [change('tool_removal', reference('f')), change('tool_removal', reference('g'))];
  assert.equal(toolNames({ tools, messages: both }), undefined);
});

test('refuses to require a tool that is not available', () => {
  const choice = { tools: [declared('f')], tool_choice: { type: 'tool', name: 'f' } };
  const messages = [{ role: 'user', content: 'Hi' }];
  assert.deepEqual(toolNames({ ...choice, messages }), ['f']);
  const other = { ...choice, messages, tool_choice: { type: 'tool', name: 'g' } };
  assert.throws(() => toolNames(other), /tool with name 'g' is not found in the tools list/);
});
