// The files of the dashboards: observability/dashboards for everybody, and the chart, which can read only its own folder.
import { dashboards, grafanaDashboard } from '../src/core/observability/index.ts';

/** Dashboards with the names of upstream's, so that an upgrade from its chart keeps their ConfigMaps. */
const upstreamNames: Readonly<Record<string, string>> = {
  stack: 'vllm-dashboard',
  models: 'vllm-model-metrics-dashboard',
  lmcache: 'lmcache-dashboard',
};

/** Each file, and the function that makes its text. */
export const dashboardFiles: Readonly<Record<string, () => string>> = Object.fromEntries(
  dashboards.flatMap((dashboard) => {
    const { name } = dashboard;
    const upstream = upstreamNames[name];
    const inChart =
      upstream === undefined ? `spillway-dashboards/spillway-${name}` : `dashboards/${upstream}`;
    const make = () => grafanaDashboard(dashboard);
    return [
      [`observability/dashboards/${name}.json`, make],
      [`charts/spillway/${inChart}.json`, make],
    ];
  }),
);
