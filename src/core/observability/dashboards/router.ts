// The router: what arrives, where it goes and why, and what fails.
import type { Dashboard } from '../dashboard.ts';
import { buckets, mean, quantile, quantiles, routers, sumRate } from '../queries.ts';

const prediction = 'spillway_router_first_byte_prediction_seconds';
const predicted = `${routers},value="predicted"`;
const actual = `${routers},value="actual"`;
const error = `${routers},value="error"`;

export const routing: Dashboard = {
  name: 'router',
  title: 'Spillway: router',
  description:
    'Picks and their reasons, predictions, the queue, failures and how they were handled.',
  rows: [
    {
      title: 'Requests',
      panels: [
        {
          title: 'Requests per second',
          unit: 'reqps',
          description: 'Requests that arrive, by model.',
          queries: { '{{model}}': sumRate('vllm:num_incoming_requests_total', routers, 'model') },
        },
        {
          title: 'Time to first token',
          unit: 's',
          description: 'From the arrival at the router to the first byte of the stream.',
          queries: quantiles('spillway_router_time_to_first_token_seconds', routers),
        },
        {
          title: 'Inter-token latency',
          unit: 's',
          description: 'Time between the chunks of streams.',
          queries: quantiles('spillway_router_inter_token_latency_seconds', routers),
        },
        {
          title: 'Latency',
          unit: 's',
          description: 'From the arrival of a request to the end of its response.',
          queries: quantiles('vllm:request_latency_seconds', routers),
        },
        {
          title: 'Finished requests per second',
          unit: 'reqps',
          description: 'By outcome. cancelled: the client has gone.',
          queries: { '{{outcome}}': sumRate('spillway_router_requests_total', routers, 'outcome') },
        },
        {
          title: 'Tokens per second',
          description: 'As reported in responses, which only some clients ask for.',
          queries: {
            prompt: sumRate('vllm:input_tokens_total', routers),
            generation: sumRate('vllm:output_tokens_total', routers),
            'prompt, cached': sumRate('spillway_router_cached_prompt_tokens_total', routers),
          },
        },
      ],
    },
    {
      title: 'Picks',
      panels: [
        {
          title: 'Picks per second by reason',
          unit: 'reqps',
          description:
            'Why an engine was picked: its cached prefix, its load, its turn, the session; retry, hedge and trial come from failures and delays.',
          queries: { '{{reason}}': sumRate('spillway_router_picks_total', routers, 'reason') },
        },
        {
          title: 'Picks per second by engine',
          unit: 'reqps',
          description: 'Where requests go.',
          queries: { '{{server}}': sumRate('spillway_router_picks_total', routers, 'server') },
        },
        {
          title: 'Requests in flight by engine',
          description: 'Sent and not finished.',
          queries: {
            '{{server}}': `sum by (server) (spillway_router_inflight_requests{${routers}})`,
          },
        },
        {
          title: 'Prefill ahead by engine',
          description:
            'Prompt tokens, not expected to be cached, of requests without a first byte.',
          queries: { '{{server}}': `sum by (server) (spillway_router_prefill_tokens{${routers}})` },
        },
        {
          title: 'First byte by engine, p99',
          unit: 's',
          description: 'From the sending of a request to the first byte of the response.',
          queries: {
            '{{server}}': quantile(0.99, 'spillway_router_first_byte_seconds', routers, 'server'),
          },
        },
        {
          title: 'Prompts by who computed their tokens',
          unit: 'reqps',
          description: 'Tokens are necessary to compare a prompt with the KV events of engines.',
          queries: {
            'by {{by}}': sumRate('spillway_router_tokenized_prompts_total', routers, 'by'),
            'none: {{reason}}': sumRate(
              'spillway_router_untokenized_prompts_total',
              routers,
              'reason',
            ),
          },
        },
      ],
    },
    {
      title: 'Predictions',
      panels: [
        {
          title: 'Time to first byte: predicted and actual',
          unit: 's',
          description: 'Mean over the same streamed requests, from sending to the first byte.',
          queries: { predicted: mean(prediction, predicted), actual: mean(prediction, actual) },
        },
        {
          title: 'Time to first byte: predicted and actual, p90',
          unit: 's',
          description: 'The same requests. Quantiles may agree although single predictions do not.',
          queries: {
            predicted: quantile(0.9, prediction, predicted),
            actual: quantile(0.9, prediction, actual),
          },
        },
        {
          title: 'Error of a prediction',
          unit: 's',
          description: 'Difference of prediction and actual time, without its sign.',
          queries: quantiles(prediction, error),
        },
        {
          title: 'Error by engine, mean',
          unit: 's',
          description: 'An engine that stands out does something that the router does not know of.',
          queries: { '{{server}}': mean(prediction, error, 'server') },
        },
      ],
    },
    {
      title: 'Queue',
      panels: [
        {
          title: 'Queued requests',
          description: 'Requests that wait in the router because all engines are saturated.',
          queries: {
            queued: `sum(spillway_router_queued_requests{${routers}}) or vector(0)`,
          },
        },
        {
          title: 'Time in the queue',
          ...{ kind: 'heatmap', unit: 's' },
          description: 'Of requests that waited and were admitted.',
          queries: buckets('spillway_router_queue_wait_seconds', routers),
        },
        {
          title: 'Refused requests per second',
          unit: 'reqps',
          description:
            '429: engines are overloaded, by reason. 503: no engine of the model is live.',
          queries: {
            '429: {{reason}}': sumRate(
              'spillway_router_rejected_requests_total',
              routers,
              'reason',
            ),
            '503: {{model}}': sumRate('spillway_router_refused_requests_total', routers, 'model'),
          },
        },
      ],
    },
    {
      title: 'Failures',
      panels: [
        {
          title: 'Failures per second',
          unit: 'reqps',
          description: 'Failed attempts by kind, retried ones included.',
          queries: {
            '{{error_type}}': sumRate('vllm:request_errors_total', routers, 'error_type'),
          },
        },
        {
          title: 'Sent to another engine per second',
          unit: 'reqps',
          description:
            'reroutes: before the response began. migrations: streams that continue elsewhere. hedges: a second engine got the request because the first was late.',
          queries: {
            reroutes: sumRate('spillway_router_reroutes_total', routers),
            'migrations: {{outcome}}': sumRate(
              'spillway_router_stream_migrations_total',
              routers,
              'outcome',
            ),
            'hedges: {{outcome}}': sumRate('spillway_router_hedges_total', routers, 'outcome'),
          },
        },
        {
          title: 'Expired deadlines per second',
          unit: 'reqps',
          description: 'By deadline: firstByte, streamIdle, engineStall, total.',
          queries: {
            '{{deadline}}': sumRate('spillway_router_deadlines_expired_total', routers, 'deadline'),
          },
        },
        {
          title: 'Stalled engines per second',
          description: 'No stream of the engine had data for too long, so that it was ejected.',
          queries: {
            '{{server}}': sumRate('spillway_router_engine_stalls_total', routers, 'server'),
          },
        },
        {
          title: 'Connections by engine',
          description: 'Open connections of the router.',
          queries: {
            '{{server}}': `sum by (server) (spillway_router_engine_connections{${routers}})`,
          },
        },
      ],
    },
  ],
};
