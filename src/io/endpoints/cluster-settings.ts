// Which engines of a cluster a router follows.

/** `pod-ip`: one engine per pod, at its address. `service-name`: one per Service, at its name. */
export type ClusterKind = 'pod-ip' | 'service-name';

export interface ClusterSettings {
  readonly kind: ClusterKind;
  readonly port: number;
  readonly namespaces: readonly string[];
  /** As `kubectl -l` takes it; '' for all. */
  readonly labelSelector: string;
  /** Length of a watch; 0 for the default. */
  readonly watchSeconds: number;
}
