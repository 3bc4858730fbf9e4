import type { Device } from "../device.js";
import { count, durationText } from "../words.js";
import { Icon } from "./icons.js";
import { useNews, useWatch } from "./watch.js";

/** How the device stands: in a word, and what waits. */
export function StatusLine({ device }: { device: Device }) {
  const { client, space, line } = device;
  const storing = useWatch(device.storing);
  useNews((draw) => client.onStatus(draw), [client]);
  useNews((draw) => space.onStatus(draw), [space]);
  const offline = useWatch(line.offline);
  const { state, pending, leader, lastError, lagMs } = client.status;
  const spaceState = space.status?.state;
  const parked = spaceState === "parked" ? space.status?.error : undefined;
  const live = state === "live" && spaceState === "live";
  const word = parked
    ? "refused"
    : offline
      ? "offline"
      : state === "stopped"
        ? "stopped"
        : state === "live"
          ? live
            ? "live"
            : "catching up"
          : state === "connecting"
            ? "connecting"
            : "no connection";
  const work = pending > 0 ? `${count(pending, "edit")} to send` : live ? "all saved" : "saved here";
  const why = parked?.message ?? (live || offline ? undefined : lastError?.message);
  const more = [why, leader ? "" : "Another tab has the connection.", lagMs > 0 ? `The last edit took ${durationText(lagMs)}.` : ""]
    .filter(Boolean)
    .join(" ");
  return (
    <p
      class={`status ${live ? "is-live" : offline ? "is-offline" : "is-waiting"}`}
      data-testid="status"
      data-state={word}
      data-pending={pending}
      data-storing={storing}
      data-leader={leader}
      data-cursor={space.status?.cursor.seq ?? 0}
      title={more}
    >
      <span class="dot" aria-hidden="true" />
      <span>{word}</span>
      <span class="quiet">{work}</span>
      {why && <Icon name="alert" />}
    </p>
  );
}
