// Settings of TLS: one table for the router's flags and the values file.
export {
  cacheTlsSettings,
  engineTlsSettings,
  listenerTlsSettings,
  type TlsSetting,
} from './tls-settings.ts';
