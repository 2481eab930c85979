// A Prometheus server as a source of history.
export {
  PrometheusClient,
  PrometheusError,
  type PrometheusOptions,
  type PrometheusSeries,
} from './client.ts';
