import { useEffect, useState } from "preact/hooks";
import { announce } from "../announce.js";
import { columnsOf } from "../board.js";
import { readLog, restore, versionsOf } from "../history.js";
import type { Version } from "../history.js";
import { clockText } from "../words.js";
import { Avatar } from "./avatar.js";
import type { Looked } from "./drawer.js";
import { Icon } from "./icons.js";
import { fieldText } from "./log.js";

/** What a card looked like at each commit that changed it, newest first. */
export function History({ looked: { device, card }, close }: { looked: Looked; close: () => void }) {
  const [versions, setVersions] = useState<readonly Version[]>([]);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let over = false;
    const look = async () => {
      try {
        const entries = await readLog(device, { collection: "demo-cards", id: card.id });
        if (!over) setVersions(versionsOf(entries));
      } catch {
        if (!over) setProblem("The gateway does not answer. History is its log, so it has to be asked.");
      }
    };
    const stop = device.space.collection("demo-cards").record(card.id).subscribe(() => void look());
    return () => {
      over = true;
      stop();
    };
  }, [device, card.id]);
  const columns = columnsOf(device.space);
  return (
    <section class="panel history" data-testid="history" aria-label={`History of ${card.title}`}>
      <h3>
        <span>History of “{device.space.collection("demo-cards").get(card.id)?.title ?? card.title}”</span>
        <button type="button" class="ghost" aria-label="Close the history" onClick={close}>
          <Icon name="close" />
        </button>
      </h3>
      {problem && <p class="quiet">{problem}</p>}
      <ol class="commits" tabIndex={0} aria-label="Versions, newest first">
        {[...versions].reverse().map((version, n) => (
          <li key={version.seq + "." + (versions.length - n)} data-testid="version">
            <span class="seq">{version.seq}</span>
            <div>
              <p>
                <Avatar user={version.user} />{" "}
                {version.kind === "fields" ? version.changes.map((change) => fieldText(change, columns)).join(", ") : { create: "made it", delete: "deleted it", undelete: "brought it back" }[version.kind]}
              </p>
            </div>
            <time>{clockText(version.time)}</time>
            {n > 0 && version.kind !== "delete" && (
              <button
                type="button"
                class="ghost"
                data-testid="restore"
                onClick={() => {
                  restore(device, card.id, version);
                  announce(`Restored the version of ${clockText(version.time)}`);
                }}
              >
                Restore
              </button>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
