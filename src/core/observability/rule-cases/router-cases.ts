// When the alerts on routers and on what clients see fire.
import type { RuleCases } from './rule-case.ts';

const healthy = (router: string, server: string) =>
  `vllm:healthy_pods_total{instance="${router}",server="${server}"}`;
const ejected = (server: string) => `spillway_router_engine_ejected{server="${server}"}`;
const incoming = 'vllm:num_incoming_requests_total{model="m"}';
const finished = (outcome: string) =>
  `spillway_router_requests_total{server="a",outcome="${outcome}"}`;
const refused = (model: string) => `spillway_router_refused_requests_total{model="${model}"}`;
const prediction = (part: string, value: string, server = 'a') =>
  `spillway_router_first_byte_prediction_seconds_${part}{server="${server}",value="${value}"}`;
const firstToken = (le: string) =>
  `spillway_router_time_to_first_token_seconds_bucket{server="a",model="m",le="${le}"}`;
const chunks = (le: string) =>
  `spillway_router_inter_token_latency_seconds_bucket{server="a",model="m",le="${le}"}`;

export const routerCases: RuleCases = {
  evaluation: '1m',
  cases: [
    {
      alert: 'SpillwayRouterDown',
      name: 'the only router stops answering',
      series: { 'up{job="spillway-router",instance="r"}': '1x3 0x10' },
      silentAt: ['3m', '4m'],
      firesAt: { '6m': [{}] },
    },
    {
      alert: 'SpillwayRouterDown',
      name: 'one of two routers is enough',
      series: {
        'up{job="spillway-router",instance="r"}': '0x10',
        'up{job="spillway-router",instance="s"}': '1x10',
      },
      silentAt: ['9m'],
    },
    {
      alert: 'SpillwayNoEngine',
      name: 'the last of two engines fails',
      series: { [healthy('r', 'a')]: '1x3 0x10', [healthy('r', 'b')]: '0x13' },
      silentAt: ['3m', '4m'],
      firesAt: { '6m': [{}] },
    },
    {
      alert: 'SpillwayEngineUnhealthy',
      name: 'for all routers, not for one of them',
      series: {
        ...{ [healthy('r', 'a')]: '1x3 0x10', [healthy('s', 'a')]: '1x3 0x10' },
        ...{ [healthy('r', 'b')]: '0x13', [healthy('s', 'b')]: '1x13' },
      },
      silentAt: ['3m', '5m'],
      firesAt: { '7m': [{ server: 'a' }] },
    },
    {
      alert: 'SpillwayEngineEjected',
      name: 'for 5 minutes; a trial that succeeds ends it',
      series: { [ejected('a')]: '0x2 1x20', [ejected('b')]: '1x3 0 1x3 0x15' },
      silentAt: ['2m', '7m'],
      firesAt: { '9m': [{ server: 'a' }] },
    },
    {
      alert: 'SpillwayEngineStalls',
      name: 'a stall is reported for a quarter of an hour',
      series: { 'spillway_router_engine_stalls_total{server="a"}': '0x5 1x40' },
      silentAt: ['5m', '30m'],
      firesAt: { '8m': [{ server: 'a' }] },
    },
    {
      alert: 'SpillwayRequestErrors',
      name: '2 % of the attempts fail',
      series: {
        [incoming]: '0+600x30',
        'vllm:request_errors_total{server="a",model="m",error_type="reset"}': '0+12x30',
      },
      silentAt: ['5m'],
      firesAt: { '10m': [{}] },
    },
    {
      alert: 'SpillwayRequestErrors',
      name: 'one in two hundred is no alert',
      series: {
        [incoming]: '0+600x30',
        'vllm:request_errors_total{server="a",model="m",error_type="reset"}': '0+3x30',
      },
      silentAt: ['20m'],
    },
    {
      alert: 'SpillwayErrorBudgetBurnsFast',
      name: '2 % of the requests fail',
      series: { [finished('completed')]: '0+588x90', [finished('failed')]: '0+12x90' },
      silentAt: ['1m'],
      firesAt: { '70m': [{}] },
    },
    {
      alert: 'SpillwayErrorBudgetBurnsFast',
      name: 'a failure of three minutes that is over, and requests that were wrong themselves',
      series: {
        [finished('completed')]: '0+588x90',
        [finished('failed')]: '0x10 12+12x2 36x80',
        [refused('unknown')]: '0+60x90',
      },
      silentAt: ['20m', '70m'],
    },
    {
      alert: 'SpillwayErrorBudgetBurnsFast',
      name: 'requests that the router refuses are failures',
      series: {
        ...{ [finished('completed')]: '0+588x90', [finished('failed')]: '0x90' },
        [refused('m')]: '0+12x90',
      },
      silentAt: ['1m'],
      firesAt: { '70m': [{}] },
    },
    {
      alert: 'SpillwayRequestsRejected',
      name: '2 % of the requests get 429',
      series: {
        [incoming]: '0+600x30',
        'spillway_router_rejected_requests_total{reason="late"}': '0+12x30',
      },
      silentAt: ['5m'],
      firesAt: { '10m': [{}] },
    },
    {
      alert: 'SpillwayStreamsBroken',
      name: 'a stream that could not move, and one that did',
      series: {
        'spillway_router_stream_migrations_total{outcome="declined",reason="logprobs"}': '0x5 1x40',
        'spillway_router_stream_migrations_total{outcome="completed",reason="reset"}': '0x5 1x40',
      },
      silentAt: ['5m', '30m'],
      firesAt: { '8m': [{ reason: 'logprobs' }] },
    },
    {
      alert: 'SpillwayPredictionsOff',
      name: 'wrong by a second of two, beside an engine that is off by milliseconds',
      series: {
        ...{ [prediction('sum', 'error')]: '0+60x60', [prediction('count', 'error')]: '0+60x60' },
        ...{
          [prediction('sum', 'actual')]: '0+110x60',
          [prediction('count', 'actual')]: '0+60x60',
        },
        [prediction('sum', 'error', 'b')]: '0+6x60',
        [prediction('count', 'error', 'b')]: '0+60x60',
        [prediction('sum', 'actual', 'b')]: '0+6x60',
        [prediction('count', 'actual', 'b')]: '0+60x60',
      },
      silentAt: ['20m'],
      firesAt: { '40m': [{ server: 'a' }] },
    },
    {
      recording: 'job:spillway_requests:failed_ratio_rate5m',
      name: 'failed, and cancelled ones apart',
      series: {
        [finished('completed')]: '0+90x20',
        [finished('failed')]: '0+10x20',
        [finished('cancelled')]: '0+500x20',
      },
      at: '10m',
      values: { '{}': 0.1 },
    },
    {
      recording: 'job:spillway_requests:failed_ratio_rate5m',
      name: 'no requests, no share',
      series: { [finished('completed')]: '90x20', [finished('failed')]: '10x20' },
      at: '10m',
      values: {},
    },
    {
      recording: 'model:spillway_time_to_first_token_seconds:p99_5m',
      name: 'of the requests of a model',
      series: {
        [firstToken('0.5')]: '0+98x20',
        [firstToken('1')]: '0+100x20',
        [firstToken('+Inf')]: '0+100x20',
      },
      at: '10m',
      values: { '{model="m"}': 0.75 },
    },
    {
      recording: 'model:spillway_inter_token_latency_seconds:p99_5m',
      name: 'of the chunks of a model',
      series: {
        [chunks('0.25')]: '0+98x20',
        [chunks('0.75')]: '0+100x20',
        [chunks('+Inf')]: '0+100x20',
      },
      at: '10m',
      values: { '{model="m"}': 0.5 },
    },
    {
      recording: 'model:vllm_incoming_requests:rate5m',
      name: 'of two routers',
      series: {
        'vllm:num_incoming_requests_total{instance="r",model="m"}': '0+60x20',
        'vllm:num_incoming_requests_total{instance="s",model="m"}': '0+60x20',
      },
      at: '10m',
      values: { '{model="m"}': 2 },
    },
  ],
};
