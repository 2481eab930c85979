// The mark on figures that come from emulated engines.
import type { EngineView } from '../../src/core/views/index.ts';
import { emulatedPart } from './engine-list.ts';

const explanation = 'Figures come from engines without a GPU: times are modelled, texts synthetic.';

/** Shows nothing if none of the engines is emulated. */
export function EmulatedMark({ engines }: { readonly engines: readonly EngineView[] }) {
  const part = emulatedPart(engines);
  if (part === 'none') return null;
  return (
    <span class="mark" title={explanation}>
      {part === 'all' ? 'emulated' : 'partly emulated'}
    </span>
  );
}
