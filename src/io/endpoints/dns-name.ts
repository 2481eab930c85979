// Parses a DNS name of engines as a user wrote it.
import { InputError } from '../../core/base/index.ts';

/** `srv`: each target with its port. `a`: each address, IPv4 and IPv6, all with one port. */
export type DnsName =
  | { readonly kind: 'srv'; readonly name: string }
  | { readonly kind: 'a'; readonly name: string; readonly port: number };

/**
 * @throws {InputError} If it is neither `srv://NAME` nor `a://NAME:PORT`.
 * @example parseDnsName('a://vllm.default.svc.cluster.local:8000').port; // 8000
 */
export function parseDnsName(text: string): DnsName {
  const [, kind, name = '', port] =
    /^(srv|a):\/\/([A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (kind === 'srv' && port === undefined) return { kind, name };
  const number = Number(port);
  if (kind === 'a' && number >= 1 && number <= 65_535) return { kind, name, port: number };
  throw new InputError(
    `"${text}" is not a DNS name of engines: it must look like srv://_http._tcp.vllm.default.svc.cluster.local ` +
      'or a://vllm.default.svc.cluster.local:8000.',
  );
}
