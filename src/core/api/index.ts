// What clients and engines exchange: OpenAI's, Anthropic's and vLLM's own requests and responses.
export {
  readCountTokensRequest,
  readMessagesRequest,
} from './anthropic/messages-request.ts';
export { chatRequestOf } from './anthropic/to-chat-request.ts';
export { checkConstraintSize, jsonSize } from './grammar/constraint-bounds.ts';
export { grammarInstance } from './grammar/grammar-instance.ts';
export { regexInstance } from './grammar/regex-instance.ts';
export { type GrammarBackend, schemaFault } from './grammar/schema-fault.ts';
export { isTagText } from './grammar/structural-tag.ts';
export {
  ApiError,
  badRequest,
  EngineRefusal,
  inEngine,
  modelNotFound,
} from './openai/api-error.ts';
export { readBatchChatRequest } from './openai/batch-chat-request.ts';
export {
  argumentsObject,
  callIssues,
  callsOf,
  contentFault,
  isHarmony,
  parsedCallsFault,
  withReasoning,
} from './openai/chat-message.ts';
export {
  type ChatMessage,
  type ChatRequest,
  checkChatRequest,
  readChatRequest,
  type Tool,
} from './openai/chat-request.ts';
export {
  type CompletionRequest,
  type Prompt,
  promptsOf,
  readCompletionRequest,
} from './openai/completion-request.ts';
export { isTruthy, pythonRepr, pythonType, pythonValue } from './openai/python-repr.ts';
export {
  checkBiasedTokens,
  checkChoices,
  checkSamplingValues,
  checkStopTokens,
  checkVocabulary,
  hasHugeInteger,
  type SamplingRead,
  stopStrings,
} from './openai/sampling.ts';
export {
  anything,
  boolean,
  dictionary,
  type Issue,
  integer,
  integer64From,
  isSchemaError,
  list,
  literal,
  notNull,
  type Parser,
  pydanticReport,
  type Read,
  readBody,
  schemaError,
  string,
  typedDict,
} from './openai/schema.ts';
export { namedSseEvent, sseContentType, sseDone, sseEvent } from './openai/sse.ts';
export {
  checkConstraint,
  checkSizes,
  constraintOf,
  type StructuredOutputs,
} from './openai/structured-outputs.ts';
export { readTokenizeRequest, type TokenizeRequest } from './openai/tokenize-request.ts';
export { streamUsageObject, type UsageCounts, usageObject } from './openai/usage.ts';
export {
  type EmbeddingRequest,
  type EncodingRequest,
  type PairSettings,
  type PoolingRequest,
  type RerankRequest,
  readEmbeddingRequest,
  readPoolingRequest,
  readRerankRequest,
  readScoreRequest,
  type ScoreRequest,
} from './pooling/pooling-requests.ts';
export { type ResponsesRequest, readResponsesRequest } from './responses/responses-request.ts';
export { chatRequestOfResponses } from './responses/to-chat-request.ts';
export {
  type DerenderChatRequest,
  type DerenderChatStreamRequest,
  type DerenderChunk,
  type DerenderCompletionRequest,
  type DerenderCompletionStreamRequest,
  type GenerateResponse,
  readDerenderChat,
  readDerenderCompletion,
} from './scale-out/derender-request.ts';
export { type DerenderState, firstDerenderState } from './scale-out/derender-state.ts';
export { type GenerateRequest, readGenerateRequest } from './scale-out/generate-request.ts';
export {
  type DecisionRequest,
  type QuestionSpec,
  readDecisionRequest,
} from './scoring/decision-request.ts';
export { readScoringRequest } from './scoring/scoring-request.ts';
