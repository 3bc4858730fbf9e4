import type { Device } from "../device.js";
import { quantile, samples } from "../convergence.js";
import { durationText } from "../words.js";
import { useWatch } from "./watch.js";

const [width, height] = [300, 96];

/** How long edits took until they were safe, and until the other device showed them. */
export function Convergence({ devices }: { devices: readonly Device[] }) {
  const list = useWatch(samples);
  const pair = devices.length > 1;
  const durable = list.map((s) => s.durable);
  const elsewhere = list.flatMap((s) => (s.elsewhere === undefined ? [] : [s.elsewhere]));
  const top = Math.max(20, ...durable, ...elsewhere);
  const x = (n: number) => (n + 0.5) * (width / Math.max(list.length, 12));
  const y = (ms: number) => height - 2 - (ms / top) * (height - 8);
  const line = (of: (s: (typeof list)[number]) => number | undefined) =>
    list
      .map((s, n) => [x(n), of(s)] as const)
      .filter((point): point is readonly [number, number] => point[1] !== undefined)
      .map(([at, ms]) => `${at.toFixed(1)},${y(ms).toFixed(1)}`)
      .join(" ");
  const text =
    list.length === 0
      ? "Edit a card while the devices are online."
      : `Half of the edits were durable within ${durationText(quantile(durable, 0.5))}` +
        (pair && elsewhere.length > 0 ? `, and on the other device within ${durationText(quantile(elsewhere, 0.5))}; 95 % within ${durationText(quantile(elsewhere, 0.95))}.` : ".");
  return (
    <section class="panel convergence" aria-label="Convergence">
      <h3>
        Convergence <span class="quiet">from the keystroke on</span>
      </h3>
      <svg class="chart" data-testid="convergence" data-samples={list.length} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={text}>
        <path class="grid" d={`M0 ${y(0)}H${width}M0 ${y(top / 2)}H${width}M0 ${y(top)}H${width}`} />
        <polyline class="durable" points={line((s) => s.durable)} />
        {pair && <polyline class="elsewhere" points={line((s) => s.elsewhere)} />}
        {list.map((s, n) => (
          <circle key={n} class={pair ? "elsewhere" : "durable"} cx={x(n)} cy={y((pair ? s.elsewhere : undefined) ?? s.durable)} r="1.800" />
        ))}
        <text x={width - 2} y={y(top) + 9}>
          {durationText(top)}
        </text>
      </svg>
      <p class="legend">
        <span class="key durable">durable</span>
        {pair && <span class="key elsewhere">on the other device</span>}
      </p>
      <p class="quiet">{text}</p>
    </section>
  );
}
