// Reads history from a Prometheus server.
export {
  PrometheusClient,
  PrometheusError,
  type PrometheusOptions,
  type PrometheusSeries,
} from './client.ts';
