// The keys below spillway.bareMetal: hosts on which "spillway deploy --target bare-metal" runs a stack with systemd.
import { z } from 'zod';
import { ours, section } from './schema-keys.ts';

export const bareMetal = ours(
  section({
    hosts: ours(
      z.array(z.string().min(1)).max(64).default([]),
      'Hosts, as NAME, USER@NAME, NAME:PORT or USER@NAME:PORT of ssh, or localhost for this machine without ssh. The router ' +
        'runs on the first one. --hosts takes precedence.',
    ),
    container: ours(
      z.enum(['none', 'docker', 'podman']).default('none'),
      'Whether services run in containers. With none, hosts need the programs themselves.',
    ),
    spillwayCommand: ours(
      z.array(z.string().min(1)).min(1).default(['spillway']),
      'Program and first arguments that start Spillway on the hosts, for the router and embedded engines.',
    ),
    firstPort: ours(
      z.int().min(4).max(65_000).default(8100),
      'Port of the first engine of a host. Each engine takes three: HTTP, KV events and their replay. The three ports below are for the cache server.',
    ),
  }),
  'Hosts without Kubernetes.',
);
