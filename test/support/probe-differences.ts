// In which of the probes the embedded engine is known to differ from the recorded vLLM, and why.
// The test of the probes checks that nothing else differs and that each of these does.

export interface KnownDifference {
  /** Of the requests. */
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
    what: 'a demanded tool call is written; there, white space fills the limit',
    why: noise,
  },
  {
    ids: /^auth\/json-obj-nothink$/,
    route: 'POST /v1/chat/completions',
    what: 'a JSON object is written; there, white space fills the limit',
    why: noise,
  },
  {
    ids: /^responses\/raw|^auth\/resp-raw$|^chat\/bytes-s$|^auth\/choice-stream$/,
    route: 'POST /v1/responses, /v1/chat/completions',
    what: 'which tokens were chosen, and so how they are split into pieces',
    why: noise,
  },
  {
    ids: /^auth\/(allowed|bias)-think/,
    route: 'POST /v1/chat/completions',
    what: 'a second end of reasoning, forced by `allowed_token_ids` or `logit_bias`, is shown',
    why: 'not built: a model does not write it',
  },
  {
    ids: /^http\/expect-100$/,
    route: 'any, with `Expect: 100-continue`',
    what: 'both begin with 100 Continue, which the recording leaves out',
    why: 'the recorder reads one status line',
  },
  {
    ids: /^auth\/hdr-3$|^http\/ct-.*-11$/,
    route: 'any',
    what: 'white space at the end of a header value is cut',
    why: "Node's HTTP parser does so, and RFC 9110 (5.5) asks for it",
  },
  {
    ids: /^generate\/features$|^render\/rr-toolnamed$/,
    route: 'POST /inference/v1/generate, /v1/responses/render',
    what: 'the words of the refusal',
    why: 'not built',
  },
];
