// Probes in which the embedded engine intentionally differs from the recorded vLLM, with the reasons. The probe
// test checks that exactly these differ.

export interface KnownDifference {
  /** Names of the requests. */
  readonly ids: RegExp;
  readonly route: string;
  readonly what: string;
  readonly why: string;
}

const noise = 'the recorded model has random weights';

export const knownProbeDifferences: readonly KnownDifference[] = [
  {
    ids: /^chat\/tools-.*-s$/,
    route: 'POST /v1/chat/completions',
    what: 'the pieces of a streamed tool call',
    why: noise,
  },
  {
    ids: /^responses\/tools-(named|req)-stream$/,
    route: 'POST /v1/responses',
    what: 'the pieces of a streamed tool call',
    why: noise,
  },
  {
    ids: /^anthropic\/tool-(named|any)/,
    route: 'POST /v1/messages',
    what: 'the embedded engine writes the required tool call; vLLM fills the limit with white space',
    why: noise,
  },
  {
    ids: /^auth\/json-obj-nothink$/,
    route: 'POST /v1/chat/completions',
    what: 'the embedded engine writes a JSON object; vLLM fills the limit with white space',
    why: noise,
  },
  {
    ids: /^responses\/raw|^auth\/resp-raw$|^chat\/bytes-s$|^auth\/choice-stream$/,
    route: 'POST /v1/responses, /v1/chat/completions',
    what: 'the chosen tokens, and therefore how they are split into pieces',
    why: noise,
  },
  {
    ids: /^auth\/(allowed|bias)-think/,
    route: 'POST /v1/chat/completions',
    what: 'a second end of reasoning, forced by `allowed_token_ids` or `logit_bias`, is shown',
    why: 'not implemented: a model does not write it',
  },
  {
    ids: /^http\/expect-100$/,
    route: 'any, with `Expect: 100-continue`',
    what: 'both begin with 100 Continue, which the recording omits',
    why: 'the recorder reads one status line',
  },
  {
    ids: /^auth\/hdr-3$|^http\/ct-.*-11$/,
    route: 'any',
    what: 'white space at the end of a header value is removed',
    why: "Node's HTTP parser does so, as RFC 9110 (5.5) requires",
  },
  {
    ids: /^generate\/features$|^render\/rr-toolnamed$/,
    route: 'POST /inference/v1/generate, /v1/responses/render',
    what: 'the text of the error',
    why: 'not implemented',
  },
];
