// The configuration of a Prometheus that scrapes a stack.
import { stringify } from 'yaml';

export interface ScrapeTarget {
  /** Host and port. */
  readonly address: string;
  /** `https` if its certificate is one that the system trusts. @default 'http' */
  readonly scheme?: 'http' | 'https';
  /** @default '/metrics' */
  readonly path?: string;
  /** Name under which dashboards show it; in a cluster, that of the pod. */
  readonly pod?: string;
}

export interface ScrapeJob {
  /** One that the dashboards and rules take for engines contains "engine", for routers "router". */
  readonly name: string;
  readonly targets: readonly ScrapeTarget[];
  /** Whether targets have certificates of their own, which nobody signed for their address. */
  readonly hasOwnCertificates?: boolean;
  /** Files with further targets, which Prometheus reads again when they change. */
  readonly targetFiles?: readonly string[];
}

export interface PrometheusConfigOptions {
  readonly jobs: readonly ScrapeJob[];
  readonly scrapeSeconds: number;
  /** Paths, relative to the configuration. */
  readonly ruleFiles: readonly string[];
}

/** The text of prometheus.yml. */
export function prometheusConfig(options: PrometheusConfigOptions): string {
  const { jobs, scrapeSeconds, ruleFiles } = options;
  const interval = `${scrapeSeconds}s`;
  return stringify(
    {
      global: { scrape_interval: interval, evaluation_interval: interval },
      rule_files: ruleFiles,
      scrape_configs: jobs.map(jobEntry),
    },
    { lineWidth: 0 },
  );
}

function jobEntry({ name, targets, hasOwnCertificates, targetFiles }: ScrapeJob): object {
  return {
    job_name: name,
    ...(hasOwnCertificates && { scheme: 'https', tls_config: { insecure_skip_verify: true } }),
    ...(targets.length > 0 && { static_configs: targets.map(targetEntry) }),
    ...(targetFiles && { file_sd_configs: [{ files: targetFiles }] }),
  };
}

function targetEntry({ address, scheme, path, pod }: ScrapeTarget): object {
  const labels = {
    ...(pod !== undefined && { pod }),
    ...(scheme !== undefined && { __scheme__: scheme }),
    ...(path !== undefined && { __metrics_path__: path }),
  };
  return { targets: [address], ...(Object.keys(labels).length > 0 && { labels }) };
}
