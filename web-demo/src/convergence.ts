import type { Verdict } from "@tidegate/client";
import { cell } from "./cell.js";
import type { Device } from "./device.js";

/** How long an edit took, in milliseconds from the keystroke on. */
export interface Sample {
  readonly by: string;
  /** Until this device had stored it. */
  readonly local: number;
  /** Until the gateway had. */
  readonly durable: number;
  /** Until the page's other device showed it; undefined without one, or while that is offline. */
  readonly elsewhere: number | undefined;
}

/** The newest samples, oldest first. */
export const samples = cell<readonly Sample[]>([]);

const kept = 60;

/** Measures the edits that devices make while they are connected. */
export function measure(devices: readonly Device[]): void {
  for (const device of devices) {
    const { space, line, user } = device;
    const other = devices.find((d) => d !== device);
    space.onMutate(({ write }) => {
      const start = performance.now();
      const since = () => performance.now() - start;
      const apart = () => line.offline.get() || (other?.line.offline.get() ?? false) || space.status?.state !== "live";
      if (apart()) return;
      let local = 0;
      write.local.then(() => (local = since()), ignore);
      write.durable.then(async ({ seq }: Verdict) => {
        const durable = since();
        if (other && seq > 0) await other.space.waitFor(seq);
        // Whoever was cut off meanwhile did not measure the system.
        if (!apart()) samples.set([...samples.get(), { by: user, local, durable, elsewhere: other && since() }].slice(-kept));
      }, ignore);
    });
  }
}

function ignore(): void {}

/** The value below which the given share of numbers lies. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
