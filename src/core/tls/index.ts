// Settings of TLS: one table for the router's flags and the values file.
export { engineTlsSettings, listenerTlsSettings, type TlsSetting } from './tls-settings.ts';
