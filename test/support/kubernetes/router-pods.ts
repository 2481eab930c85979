// What router pods know of each other, from their metrics.

export interface RouterPod {
  readonly status: { readonly podIP?: string };
}

/** Of each router the value of a metric, summed over the labels that `metric` leaves open. */
export function metricOfRouters(
  pods: readonly RouterPod[],
  port: number,
  metric: string,
): Promise<readonly number[]> {
  return Promise.all(
    pods.map(async ({ status }) => {
      const signal = AbortSignal.timeout(2_000);
      const page = await (await fetch(`http://${status.podIP}:${port}/metrics`, { signal })).text();
      const lines = page.split('\n').filter((line) => line.startsWith(metric));
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    }),
  );
}

/** Whether each of two routers has found the other behind the name of their headless Service, and itself. */
export async function areConnected(pods: readonly RouterPod[], port: number): Promise<boolean> {
  const others = await metricOfRouters(pods, port, 'spillway_router_peers{state="connected"}');
  const self = await metricOfRouters(pods, port, 'spillway_router_peers{state="self"}');
  return `${others} ${self}` === '1,1 1,1';
}
