// The name server of a cluster: a Service has the name SERVICE.NAMESPACE.svc.cluster.local, and the address that it has itself,
// or, without one, the addresses of its pods (https://github.com/kubernetes/dns/blob/master/docs/specification.md).
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { type DnsRecord, dnsResponse, questionOf } from '../dns-messages.ts';
import type { ControlPlane } from './control-plane.ts';

interface Slice {
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean };
  }[];
}

const port = 53;
const ttl = 5;
const serviceName = /^([a-z0-9-]+)\.([a-z0-9-]+)\.svc\.cluster\.local$/;

export class ClusterDns {
  readonly #socket: Socket;
  readonly #controlPlane: ControlPlane;
  #isClosed = false;

  static async start(controlPlane: ControlPlane, address: string): Promise<ClusterDns> {
    const dns = new ClusterDns(controlPlane);
    dns.#socket.bind(port, address);
    await once(dns.#socket, 'listening');
    return dns;
  }

  private constructor(controlPlane: ControlPlane) {
    this.#controlPlane = controlPlane;
    this.#socket = createSocket('udp4').on('message', async (query, from) => {
      const { name } = questionOf(query);
      const known = await this.#recordsOf(name).catch(() => 'servfail' as const);
      if (this.#isClosed) return;
      this.#socket.send(dnsResponse(query, known), from.port, from.address);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.close();
  }

  async #recordsOf(name: string): Promise<readonly DnsRecord[] | undefined> {
    const [, service, namespace] = serviceName.exec(name) ?? [];
    if (service === undefined) return undefined;
    const path = `/api/v1/namespaces/${namespace}/services/${service}`;
    const { status, body } = await this.#controlPlane.ask('GET', path);
    if (status === 404) return undefined;
    const { clusterIP } = JSON.parse(body).spec as { readonly clusterIP: string };
    const addresses =
      clusterIP === 'None' ? await this.#podsOf(`${namespace}`, service) : [clusterIP];
    return addresses.map((address) => ({ type: 'A', ttl, address }));
  }

  /** Also of pods that are not ready, where the Service publishes them: their endpoints count as ready. */
  async #podsOf(namespace: string, service: string): Promise<readonly string[]> {
    const selector = encodeURIComponent(`kubernetes.io/service-name=${service}`);
    const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
    const { items } = await this.#controlPlane.expect('GET', `${path}?labelSelector=${selector}`);
    return (items as readonly Slice[])
      .flatMap(({ endpoints = [] }) => endpoints)
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses }) => addresses);
  }
}
