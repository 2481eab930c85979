// The flow of prompt tokens: from HBM, from the tiers below, or computed.
import type { EngineView } from '../../src/core/views/index.ts';
import { percent, rate } from './format.ts';
import { type TierFlow, tierFlowOf } from './tier-flow.ts';

const height = 96;
const width = 300;
/** Distance between the bands on the right. */
const gap = 8;

const bands = [
  ['hbm', 'found in HBM'],
  ['lowerTiers', 'found in lower tiers'],
  ['computed', 'computed'],
] as const satisfies readonly (readonly [keyof TierFlow, string])[];

export function TierFlowChart({ engines }: { readonly engines: readonly EngineView[] }) {
  const flow = tierFlowOf(engines);
  const total = flow === undefined ? 0 : flow.hbm + flow.lowerTiers + flow.computed;
  return (
    <figure class="card tier-flow">
      <figcaption>
        Prompt tokens by tier <span class="quiet">per second, last 10&nbsp;s</span>
      </figcaption>
      {flow === undefined || total === 0 ? (
        <p class="quiet">No prompt tokens in the last 10 s.</p>
      ) : (
        <div class="tier-flow-body">
          <svg viewBox={`0 0 ${width} ${height}`} aria-hidden="true" preserveAspectRatio="none">
            {pathsOf(flow, total).map(({ name, d }) => (
              <path key={name} class={`tier-${name}`} d={d} />
            ))}
          </svg>
          <dl class="facts">
            {bands.map(([name, label]) => (
              <div key={name}>
                <dt>
                  <span class={`swatch tier-${name}`} />
                  {label}
                </dt>
                <dd>
                  {rate(flow[name])} <span class="quiet">{percent(flow[name] / total, 0)}</span>
                </dd>
              </div>
            ))}
          </dl>
        </div>
      )}
    </figure>
  );
}

/** One band for each source, from one stream on the left to places of their own on the right. */
function pathsOf(flow: TierFlow, total: number): { readonly name: string; readonly d: string }[] {
  const usable = height - gap * (bands.length - 1);
  let [left, right] = [gap, 0];
  return bands.map(([name]) => {
    const size = (usable * flow[name]) / total;
    const [a, b] = [left, right];
    left += size;
    right += size + gap;
    const middle = width / 2;
    return {
      name,
      d:
        `M0 ${a} C${middle} ${a} ${middle} ${b} ${width} ${b} L${width} ${b + size} ` +
        `C${middle} ${b + size} ${middle} ${a + size} 0 ${a + size} Z`,
    };
  });
}
