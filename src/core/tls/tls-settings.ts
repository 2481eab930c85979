// Settings of TLS: of the router, for its listener and for its connections to engines, and of the cache server.

/** One setting; its value is a path or a name. */
export interface TlsSetting<Key extends string = string> {
  /** Key under `routerSpec.tls`, `routerSpec.engineTls` or `cacheserverSpec.tls`. */
  readonly key: Key;
  readonly flag: `--${string}`;
  readonly placeholder: string;
  /** Lower case, no full stop. */
  readonly help: string;
}

/** Settings of the listener. */
export const listenerTlsSettings: readonly TlsSetting<'cert' | 'key' | 'clientCa'>[] = [
  {
    key: 'cert',
    flag: '--tls-cert',
    placeholder: '<file>',
    help: 'serve https with this certificate (PEM, with intermediate ones); read again when it changes',
  },
  {
    key: 'key',
    flag: '--tls-key',
    placeholder: '<file>',
    help: 'key of that certificate (PEM)',
  },
  {
    key: 'clientCa',
    flag: '--tls-client-ca',
    placeholder: '<file>',
    help: 'require certificates from clients, signed by these authorities (PEM)',
  },
];

/** Settings of the router's connections to https engines and peer routers. */
export const engineTlsSettings: readonly TlsSetting<'ca' | 'cert' | 'key' | 'serverName'>[] = [
  {
    key: 'ca',
    flag: '--engine-tls-ca',
    placeholder: '<file>',
    help: 'authorities to trust for https engines and routers, instead of those that Node trusts (PEM)',
  },
  {
    key: 'cert',
    flag: '--engine-tls-cert',
    placeholder: '<file>',
    help: 'certificate that the router presents to them (PEM)',
  },
  {
    key: 'key',
    flag: '--engine-tls-key',
    placeholder: '<file>',
    help: 'key of that certificate (PEM)',
  },
  {
    key: 'serverName',
    flag: '--engine-tls-server-name',
    placeholder: '<name>',
    help: 'name that their certificates must have (default: the host of the URL)',
  },
];

/** Settings of the cache server: both of its ports, and its connections to other servers. */
export const cacheTlsSettings: readonly TlsSetting<'cert' | 'key' | 'clientCa' | 'ca'>[] = [
  {
    key: 'cert',
    flag: '--tls-cert',
    placeholder: '<file>',
    help: 'serve both protocols over TLS with this certificate (PEM, with intermediate ones); read again when it changes',
  },
  {
    key: 'key',
    flag: '--tls-key',
    placeholder: '<file>',
    help: 'key of that certificate (PEM)',
  },
  {
    key: 'clientCa',
    flag: '--tls-client-ca',
    placeholder: '<file>',
    help: 'require certificates from clients, signed by these authorities (PEM)',
  },
  {
    key: 'ca',
    flag: '--tls-ca',
    placeholder: '<file>',
    help: 'authorities to trust for the other servers of --peers, instead of those that Node trusts (PEM)',
  },
];
