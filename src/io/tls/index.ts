// Certificates and keys in PEM files, followed while the program runs.
export { type TlsFiles, TlsIdentity, type TlsMaterial } from './tls-identity.ts';
