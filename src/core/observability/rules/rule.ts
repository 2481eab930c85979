// What rules are: alerts, and series that Prometheus records from others. Their files are made of these (rules-file.ts).
import type { PanelUnit } from '../dashboard.ts';

/** Label matchers that limit a rule to one stack. */
export interface RuleScope {
  /** Of engines' own series. */
  readonly engines: string;
  /** Of the router's series. */
  readonly routers: string;
  /** Of `up` and of the process metrics, which engines and routers both have. */
  readonly engineJobs: string;
  readonly routerJobs: string;
}

export interface AlertRule {
  readonly kind: 'alert';
  readonly name: string;
  readonly expression: (scope: RuleScope) => string;
  /** How long the expression must hold before the alert fires; 0: at once. */
  readonly forSeconds: number;
  /** critical: clients are affected now. warning: they will be, or money is lost. */
  readonly severity: 'warning' | 'critical';
  /** Of the alert's value. */
  readonly unit: PanelUnit;
  /** One line, in which `{{ $labels.NAME }}` stands for a label of the alert. */
  readonly summary: string;
  /** What it means and the first thing to do. */
  readonly description: string;
  /** Name of the dashboard to open. */
  readonly dashboard: string;
}

export interface RecordingRule {
  readonly kind: 'recording';
  /** `level:metric:operations`, as Prometheus recommends. */
  readonly name: string;
  readonly expression: (scope: RuleScope) => string;
  readonly unit: PanelUnit;
  readonly description: string;
  /** Added to the series. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface RuleGroup {
  readonly name: string;
  /** Time between evaluations; that of the server if unset. */
  readonly intervalSeconds?: number;
  readonly rules: readonly (AlertRule | RecordingRule)[];
}

/** An alert without `kind`. */
export function alert(rule: Omit<AlertRule, 'kind'>): AlertRule {
  return { kind: 'alert', ...rule };
}

/** A recorded series without `kind`. */
export function recording(rule: Omit<RecordingRule, 'kind'>): RecordingRule {
  return { kind: 'recording', ...rule };
}

/** Matchers together; an empty one limits nothing. */
export function matchers(...all: readonly string[]): string {
  return all.filter((one) => one !== '').join(',');
}
