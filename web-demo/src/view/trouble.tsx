import { useState } from "preact/hooks";
import type { Device } from "../device.js";
import { Icon } from "./icons.js";
import { useNews, useWatch } from "./watch.js";

/** What keeps a device from working as it should, and what its user can do. Nothing while all is well. */
export function Trouble({ device }: { device: Device }) {
  const { client, space, line } = device;
  useNews((draw) => client.onStatus(draw), [client]);
  useNews((draw) => space.onStatus(draw), [space]);
  const offline = useWatch(line.offline);
  const [seen, setSeen] = useState(false);
  const { state, lastError, evicted, pending, rejected } = client.status;
  const store = lastError?.code.startsWith("store-") ? lastError : undefined;
  const refused = space.status?.state === "parked" ? space.status.error : undefined;
  const stopped = state === "stopped" && !offline ? lastError : undefined;
  const problem = store ?? refused ?? stopped;
  if (!problem && (!evicted || seen)) return null;
  return (
    <div class="trouble" role="alert" data-testid="trouble">
      <Icon name="alert" />
      <p>{problem ? problem.message : "The browser has taken this device's data away. Edits that were not sent are lost; everything else comes back."}</p>
      {problem && (
        <button type="button" onClick={() => client.reconnect()}>
          Try again
        </button>
      )}
      {problem && pending + rejected > 0 && (
        <button type="button" onClick={() => void save(device)}>
          Save my edits
        </button>
      )}
      {!problem && (
        <button type="button" class="ghost" aria-label="Hide this" onClick={() => setSeen(true)}>
          <Icon name="close" />
        </button>
      )}
    </div>
  );
}

/** Hands the user everything that the device has stored, as a file. */
async function save({ client, user }: Device): Promise<void> {
  const bytes = await client.export();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([Uint8Array.from(bytes)], { type: "application/octet-stream" }));
  link.download = `${user}.tidegate`;
  link.click();
  URL.revokeObjectURL(link.href);
}
