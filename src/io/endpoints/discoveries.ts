// The table of sources whose engines change over time, in the order of the help text.

import { clusterDiscovery } from './cluster-discovery.ts';
import type { Discovery } from './discovery.ts';
import { dnsDiscovery } from './dns-records.ts';
import { fileDiscovery } from './engines-file.ts';

export const discoveries: readonly Discovery[] = [fileDiscovery, dnsDiscovery, clusterDiscovery];
