// The items of a response's input, as the types of OpenAI's package read them. vLLM accepts every
// type of item, and later refuses those that it cannot turn into a message.

export type InputItem = Readonly<Record<string, unknown>>;

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isList: Check = (value) => Array.isArray(value);
const isObject = (value: unknown): value is InputItem =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isAny: Check = (value) => value !== undefined;
const isTextOrNull: Check = (value) => value === null || isText(value);
const isListOrNull: Check = (value) => value === null || isList(value);
const oneOf =
  (...allowed: readonly string[]): Check =>
  (value) =>
    isText(value) && allowed.includes(value as string);

const isProgress = oneOf('in_progress', 'completed', 'incomplete');
const isOutput: Check = (value) =>
  isText(value) || (Array.isArray(value) && value.every(isInputPart));

/** Required fields by type. @see openai/types/responses/response_input_item_param.py */
const itemFields: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  function_call: { arguments: isText, call_id: isText, name: isText },
  function_call_output: { output: isOutput },
  custom_tool_call: { call_id: isText, input: isText, name: isText },
  custom_tool_call_output: { call_id: isText, output: isOutput },
  reasoning: {
    summary: (value) => isList(value) && (value as unknown[]).every(isTextPart('summary_text')),
    content: (value) =>
      value == null || (Array.isArray(value) && value.every(isTextPart('reasoning_text'))),
  },
  file_search_call: { id: isText, queries: isList, status: isText },
  computer_call: { id: isText, call_id: isText, pending_safety_checks: isList, status: isProgress },
  computer_call_output: { call_id: isText, output: isObject },
  web_search_call: { id: isText, action: isObject, status: isText },
  tool_search_call: { arguments: isAny },
  tool_search_output: { tools: isList },
  additional_tools: { role: oneOf('developer'), tools: isList },
  configuration_update: {},
  compaction: { encrypted_content: isText },
  compaction_trigger: {},
  image_generation_call: { id: isText, result: isTextOrNull, status: isText },
  code_interpreter_call: {
    ...{ id: isText, code: isTextOrNull, container_id: isText, outputs: isListOrNull },
    status: isText,
  },
  local_shell_call: { id: isText, action: isObject, call_id: isText, status: isProgress },
  local_shell_call_output: { id: isText, output: isText },
  shell_call: { action: isObject, call_id: isText },
  shell_call_output: { call_id: isText, output: isList },
  apply_patch_call: { call_id: isText, operation: isObject, status: isText },
  apply_patch_call_output: { call_id: isText, status: oneOf('completed', 'failed') },
  mcp_list_tools: { id: isText, server_label: isText, tools: isList },
  mcp_approval_request: { id: isText, arguments: isText, name: isText, server_label: isText },
  mcp_approval_response: {
    approval_request_id: isText,
    approve: (value) => typeof value === 'boolean',
  },
  mcp_call: { id: isText, arguments: isText, name: isText, server_label: isText },
  program: { id: isText, call_id: isText, code: isText, fingerprint: isText },
  program_output: {
    ...{ id: isText, call_id: isText, result: isText },
    status: oneOf('completed', 'incomplete'),
  },
  item_reference: { id: isText },
};

/** Returns whether the item matches one of OpenAI's item types. */
export function isInputItem(item: unknown): item is InputItem {
  if (!isObject(item)) return false;
  const { type } = item;
  if (type === undefined || type === 'message') return isMessage(item) || isBareReference(item);
  if (type === null) return isBareReference(item);
  const fields = isText(type) ? itemFields[type as string] : undefined;
  return fields !== undefined && Object.entries(fields).every(([name, fits]) => fits(item[name]));
}

/** A reference needs no type; its other fields are not checked. */
function isBareReference({ type, id }: InputItem): boolean {
  return type !== 'message' && isText(id);
}

const isRole = oneOf('user', 'assistant', 'system', 'developer');

function isMessage({ type, role, content, status }: InputItem): boolean {
  if (!isRole(role)) return false;
  if (isText(content)) return true;
  if (!Array.isArray(content)) return false;
  // A previous output of the model; its id and status are optional.
  const isOwn = type === 'message' && role === 'assistant';
  const isSaid = isOwn && content.every(isSaidPart) && (status === undefined || isProgress(status));
  return isSaid || content.every(isInputPart);
}

function isInputPart(part: unknown): boolean {
  if (!isObject(part)) return false;
  const { type, text, detail = 'auto', image_url: url = null } = part;
  switch (type) {
    case 'input_text':
      return isText(text);
    case 'input_image':
      return isTextOrNull(url) && oneOf('low', 'high', 'auto', 'original')(detail);
    case 'input_file':
      return true;
    default:
      return false;
  }
}

function isSaidPart(part: unknown): boolean {
  const { type, text, refusal, annotations = [] } = Object(part) as InputItem;
  if (type === 'refusal') return isText(refusal);
  return type === 'output_text' && isText(text) && isList(annotations);
}

function isTextPart(type: string): Check {
  return (part) => isObject(part) && part['type'] === type && isText(part['text']);
}
