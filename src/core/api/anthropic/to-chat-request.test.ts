import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMessagesRequest } from './messages-request.ts';
import { chatRequestOf } from './to-chat-request.ts';

function messagesOf(body: object): unknown {
  return chatRequestOf(readMessagesRequest({ model: 'm', max_tokens: 5, ...body })).messages;
}

test('system text comes first, without the header that differs per request', () => {
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

test('results of tools become messages of their own before what the user says', () => {
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

test('a tool that is removed must have been declared', () => {
  const tool = { type: 'tool_reference', name: 'f' };
  const messages = [{ role: 'system', content: [{ type: 'tool_removal', tool }] }];
  assert.throws(() => messagesOf({ messages }), /references tool 'f', which is not declared/);
});
